"""What the demo's people do for business: per topic, families of phrases that say the same in different words."""

from jv_assets.demo.lexicon import Topic

BUSINESS_TOPICS = (
    Topic(
        "email",
        weight=7,
        craft="email marketing|newsletter strategy|list building|inbox relationships|subscriber growth",
        expert="email strategist|list-building mentor|newsletter writer|deliverability specialist",
        do="grow an email list that actually buys|turn cold subscribers into regular readers|write newsletters that "
        "get opened|double their subscriber count|set up a welcome series that sells while they sleep",
        pain="emails nobody opens|a list that has gone quiet|being stuck at a few hundred subscribers|unsubscribes",
        win="higher open rates|a list that pays for itself|more replies and booked calls|daily signups",
        product="90-day list growth sprint|welcome sequence template pack|newsletter clinic|Inbox to Income class",
    ),
    Topic(
        "podcast",
        weight=6,
        craft="podcasting|audio production|podcast guesting|interview shows|voice-led marketing",
        expert="podcast host|show producer|audio editor|podcast booking agent",
        do="launch a show people binge|get booked on the right podcasts|turn interviews into clients|record, edit and "
        "publish every week without burning out|grow their downloads",
        pain="recording episodes that nobody hears|pitching hosts who never reply|hours lost on editing",
        win="more downloads|loyal listeners|a calendar full of interviews|episodes that bring in leads",
        product="podcast launch kit|done-for-you editing service|guest booking bootcamp|Mic Ready masterclass",
    ),
    Topic(
        "books",
        weight=5,
        craft="book publishing|ghostwriting|self-publishing|memoir writing|nonfiction editing",
        expert="book coach|developmental editor|ghostwriter|publishing consultant",
        do="finish the manuscript they keep putting off|publish a book that brings clients|become bestselling authors|"
        "turn their story into a finished title|get from messy draft to printed copy",
        pain="an unfinished draft in the drawer|rejection letters|not knowing where to start writing",
        win="a published title|the credibility that comes with a book|royalties and readers|stronger author platforms",
        product="write-your-book retreat|manuscript review|author launch plan|12-chapter workbook for first-time "
        "writers",
    ),
    Topic(
        "speaking",
        weight=5,
        craft="public speaking|keynote coaching|stage presence|presentation skills|storytelling",
        expert="speaker trainer|keynote presenter|voice coach|talk strategist",
        do="craft a signature talk|get paid to speak|own any stage with calm|turn audiences into buyers|tell stories "
        "that move a room",
        pain="stage fright|speaking for free|talks that fall flat|freezing in front of a crowd",
        win="paid keynotes|standing ovations|speaker fees|confidence under the lights",
        product="signature talk intensive|speaker reel package|stage confidence weekend|Paid to Speak academy",
    ),
    Topic(
        "courses",
        weight=7,
        craft="online courses|digital products|membership sites|group programs|curriculum design",
        expert="course creator|instructional designer|membership strategist|launch manager",
        do="package what they know into an online program|fill a membership that keeps people|launch their first "
        "course|move from 1:1 hours to group offers|create lessons that students complete",
        pain="launches that flop|trading hours for money|students who never finish|tech overwhelm",
        win="recurring revenue|evergreen sales|completion rates above 60%|freedom from one-to-one work",
        product="course in a month challenge|membership blueprint|launch runway program|curriculum template vault",
    ),
    Topic(
        "copy",
        weight=4,
        craft="copywriting|sales pages|brand messaging|conversion writing|direct response",
        expert="copywriter|messaging strategist|sales page writer|brand storyteller",
        do="say what they do in one clear line|write sales pages that convert|find words that sound like them|sell "
        "without sleazy scripts|sharpen their message",
        pain="blank page syndrome|a message nobody understands|copy that sounds like everybody else",
        win="conversions|clarity|a brand voice people remember|sales pages that work hard",
        product="message makeover|sales page in a day|brand voice guide|swipe-free copy lab",
    ),
    Topic(
        "ads",
        weight=4,
        craft="paid traffic|media buying|lead generation|social ads|customer acquisition",
        expert="ads manager|media buyer|traffic specialist|lead gen agency owner",
        do="get qualified leads every day|scale profitable campaigns|lower what they pay per lead|fill webinars with "
        "cold traffic|buy attention that pays back",
        pain="burning money on clicks|leads that never answer|agencies who overpromise",
        win="cheaper leads|predictable pipelines|return on ad spend of 4x|a steady flow of prospects",
        product="campaign audit|done-with-you ads program|lead machine setup|traffic intensive",
    ),
    Topic(
        "content",
        weight=5,
        craft="content marketing|search optimisation|blogging|organic growth|video content",
        expert="content strategist|search specialist|blogger|video creator",
        do="rank for what their customers search|make a month of content in a day|show up on camera without cringing|"
        "repurpose one video into twenty posts|be found online",
        pain="posting into the void|never knowing what to say|content burnout",
        win="organic traffic|inbound enquiries|search rankings|visibility that lasts",
        product="content calendar system|visibility audit|batch day workshop|found-first-page package",
    ),
    Topic(
        "social",
        weight=5,
        craft="social media|community management|short-form video|influencer partnerships|online visibility",
        expert="social media manager|community host|influencer|visibility coach",
        do="build a following that trusts them|turn followers into paying customers|run groups that stay lively|go "
        "from invisible to in demand|stop dancing for the algorithm",
        pain="posting daily without a single sale|the algorithm|quiet groups|low engagement",
        win="engaged communities|shares and saves|inquiries by direct message|a bigger platform",
        product="30 days of prompts|community growth playbook|social management retainer|Follower to Client workshop",
    ),
    Topic(
        "branding",
        weight=3,
        craft="branding|visual identity|web design|personal brands|photography",
        expert="brand designer|web designer|brand photographer|creative director",
        do="look as good online as they are in person|launch a site they're proud of|stand out in a crowded market|"
        "build a memorable personal brand|stop hiding behind an outdated website",
        pain="a homemade logo|a website that embarrasses them|looking like everyone else",
        win="a brand that attracts premium clients|a polished presence|instant recognition",
        product="brand in a box|two-day website intensive|photo and identity package|rebrand roadmap",
    ),
    Topic(
        "systems",
        weight=5,
        craft="automation|funnels|CRM setup|business systems|artificial intelligence tools",
        expert="automation expert|funnel builder|systems strategist|tech virtual assistant|AI consultant",
        do="automate the boring parts|build funnels that run on autopilot|use AI without losing their voice|get their "
        "tools talking to each other|save ten hours every week",
        pain="duct-taped tech|doing everything by hand|ten tools that don't talk to each other|spreadsheet chaos",
        win="time back|clean processes|follow-up that never forgets|workflows the team follows",
        product="funnel build week|automation audit|AI assistant starter kit|systems VIP day",
    ),
    Topic(
        "operations",
        weight=3,
        craft="operations|virtual assistance|project management|online business management|delegation",
        expert="online business manager|virtual assistant|project manager|fractional COO",
        do="hand over the busywork|hire their first assistant|run a company that works without them|get out of the "
        "weeds|deliver projects on time",
        pain="wearing every hat|dropping balls|a founder who is the bottleneck|endless to-do lists",
        win="a team that runs itself|calm weeks|margins and holidays|smooth delivery",
        product="delegation roadmap|monthly operations retainer|hire right toolkit|back office makeover",
    ),
    Topic(
        "sales",
        weight=6,
        craft="sales training|closing|high-ticket sales|negotiation|enrollment conversations",
        expert="sales trainer|closer|enrollment coach|negotiation expert",
        do="close more calls without pressure|sell high-ticket packages|raise their prices with a straight face|have "
        "enrollment conversations that feel good|fill their pipeline",
        pain="hearing 'let me think about it'|awkward pitches|discounting to win|empty calendars",
        win="bigger contracts|a 40% close rate|cash flow|consistent five-figure months",
        product="sales script library|closing camp|high-ticket offer workshop|enrollment mastery program",
    ),
    Topic(
        "growth",
        weight=9,
        craft="business coaching|growth strategy|scaling|mentoring entrepreneurs|offer design",
        expert="business coach|growth mentor|strategist|mastermind leader|business consultant",
        do="scale to seven figures|grow revenue without more hours|get their first ten clients|build a business that "
        "fits their life|make a plan and stick to it",
        pain="feast and famine|hitting a plateau|overwhelm|working 70 hour weeks",
        win="steady growth|profit|more freedom|a business worth selling|six-figure years",
        product="12-month mastermind|growth accelerator|strategy day|quarterly planning retreat|business breakthrough "
        "call",
    ),
    Topic(
        "events",
        weight=4,
        craft="virtual summits|live events|retreats|webinars|giveaways",
        expert="summit host|event producer|retreat leader|webinar specialist",
        do="host a summit that doubles their list|run sold-out retreats|fill live workshops|produce events without "
        "panic|make webinars that convert",
        pain="empty seats|speakers who don't promote|event stress|no-shows",
        win="full rooms|thousands of registrations|sponsors|partners who show up again",
        product="summit in 60 days|retreat planning kit|webinar rescue|annual giveaway event",
    ),
    Topic(
        "shops",
        weight=2,
        craft="e-commerce|online retail|product sourcing|handmade shops|subscription boxes",
        expert="e-commerce consultant|shop owner|marketplace seller|product developer",
        do="sell more from their online store|launch a product line|cut cart abandonment|turn a hobby into a shop|win "
        "repeat customers",
        pain="abandoned carts|thin margins|stock nobody wants|copycats",
        win="repeat orders|better margins|bestsellers|five-star reviews",
        product="store makeover|product launch checklist|seller circle|pricing calculator for makers",
    ),
    Topic(
        "legal",
        weight=2,
        craft="contracts|trademarks|small business law|compliance|intellectual property",
        expert="attorney|contract specialist|compliance adviser|trademark lawyer",
        do="protect their ideas|get contracts in place before trouble starts|stay compliant without headaches|"
        "register what they own",
        pain="handshake deals gone wrong|fine print|clients who won't pay",
        win="peace of mind|airtight agreements|protected brands",
        product="contract template shop|legal health check|trademark package|done-right agreements bundle",
    ),
    Topic(
        "leadership",
        weight=5,
        craft="leadership development|executive coaching|team culture|organisational change|management training",
        expert="executive coach|leadership trainer|culture consultant|facilitator",
        do="lead with less drama|build teams that stay|have the hard conversations|step up from manager to leader|"
        "create workplaces where folks thrive",
        pain="turnover|toxic meetings|disengaged staff|being promoted without training",
        win="retention|trust|high-performing teams|calmer bosses",
        product="leadership lab|360 feedback program|team offsite|new manager curriculum",
    ),
    Topic(
        "career",
        weight=3,
        craft="career change|job search coaching|interview preparation|résumé writing|professional development",
        expert="career coach|recruiter|résumé writer|talent adviser",
        do="land a role they love|change careers after 40|negotiate a better salary|walk into interviews prepared|"
        "leave the cubicle for good",
        pain="sending out résumés and hearing nothing|Sunday dread|being passed over|layoffs",
        win="job offers|a raise|work with meaning|promotions",
        product="career pivot program|interview bootcamp|résumé rewrite|dream job roadmap",
    ),
    Topic(
        "money",
        weight=6,
        craft="personal finance|wealth building|bookkeeping|tax planning|investing",
        expert="financial planner|money coach|bookkeeper|tax strategist|wealth adviser",
        do="keep more of what they earn|get out of debt|understand their numbers|retire early|invest without fear|"
        "save on taxes legally",
        pain="credit card debt|tax surprises|money shame|living month to month",
        win="financial independence|a healthy profit margin|savings|lower tax bills",
        product="money makeover|profit dashboard|retirement readiness review|debt-free in 18 months course",
    ),
    Topic(
        "property",
        weight=4,
        craft="real estate investing|rental properties|property flipping|mortgages|home staging",
        expert="real estate investor|property coach|mortgage broker|realtor|landlord",
        do="buy their first rental|flip houses with other people's capital|create passive income from property|close "
        "deals remotely|build a portfolio",
        pain="saving for decades|nightmare tenants|missing every deal|rising interest",
        win="cash-flowing rentals|equity|passive income|doors in three states",
        product="first deal bootcamp|rental calculator|private lending network|house flipping blueprint",
    ),
    Topic(
        "causes",
        weight=3,
        craft="fundraising|grant writing|nonprofit management|social impact|sustainability",
        expert="grant writer|fundraiser|impact consultant|nonprofit director",
        do="win grants|raise funds without begging|measure what they change|turn donors into lifelong supporters|go "
        "green without greenwashing",
        pain="donor fatigue|tiny budgets|grant deadlines|volunteer burnout",
        win="funded projects|recurring donors|real impact|healthy boards",
        product="grant writing course|donor journey template|board training|impact report service",
    ),
)
