"""Templates of how the demo's people write: per text column, fragments for the terse and sentences for the rest.

`texts.py` fills the slots in braces from the person's topic and audience: `do`, `craft`, `who`, …. Slots that end in 2
come from a second interest, those that start with x from the partner who is sought; `FILLERS` fit everybody.
"""

from jv_assets.demo.lexicon import phrases

FILLERS = {
    name: phrases(text)
    for name, text in {
        "partners": "affiliates|JV partners|promo partners|referral partners|joint venture partners|collaborators|"
        "strategic allies|like-minded people to team up with",
        "swap": "email swaps|list swaps|cross-promotions|solo mailings|newsletter exchanges|reciprocal promos|"
        "shout-outs",
        "stage": "podcast interviews|guest spots|speaking slots|summit invitations|stages|workshops for their group|"
        "guest trainings|panels",
        "crowd": "audience|list|community|following|tribe|readership|clients|customers|members|network",
        "pct": "20%|25%|30%|40%|50%|half",
        "price": "$27|$97|$297|$497|$997|$1,997|$5k",
        "years": "5|7|10|12|15|20|25|over 30|eight|a dozen",
        "weeks": "four|6|8|ten|12",
        "size": "2,000+|3k|5,000|8,500|12k|20,000|40k+",
        "soon": "in spring|this fall|next quarter|in January|twice a year|every month|later this year",
        "nice": "genuine|warm|proven|practical|honest|playful|science-based|no-nonsense|gentle|step-by-step|"
        "award-winning",
    }.items()
}

WHAT_FRAGMENTS = phrases(
    "{expert}|{craft} for {who}|{expert} & {expert2}|{craft}, {craft2}|helping {who} {do}|{craft} and {product2}|"
    "{nice} {craft}|{expert}, author, speaker|from {pain} to {win}|{win} for {who}"
)
WHAT = phrases(
    "I help {who} {do}.|We help {who} {do} so they can {want}.|{first} helps {who} {trait} {do}.|I teach {who} how to "
    "{do}.|I'm a {expert} working with {who} {trait}.|At {company} we make {craft} simple for {who}.|I show {who} how "
    "to {do}, without {pain}.|My work is all about {craft} and {craft2}.|For {years} years I have guided {who} from "
    "{pain} to {win}.|I run a {product} and see private clients for {craft2}.|We are a small team of {experts} and "
    "{experts2}.|I believe everyone can {do}.|Through a {nice} mix of {craft} and {craft2} my clients get {win}.|I "
    "work with {who} who want to {do}.|I do {craft}, mostly for {who}.|{company} is a {nice} place for {who} to "
    "{want}.|If you are fed up with {pain} I can show you another way.|I support {who} so they finally {want}.|Former "
    "{expert2}, now {expert}.|People come to me because of {pain}; they leave with {win}.|I take the stress out of "
    "{craft}.|My signature program is a {product}."
)

WHO_FRAGMENTS = phrases(
    "{who}|{who}, {who2}|{who} {trait}|{who} and {whob}|{who} 30-60|mostly {who}|{who} worldwide|{who}, {whob}, "
    "{whoc}|{who} who want to {do}|men and women, {who}"
)
WHO = phrases(
    "I serve {who} {trait}.|My clients are {who} {trait}.|We work with {who} and {who2}.|{who} who want to {want}.|My "
    "audience is made up of {who}, most of them {trait}.|{who} {trait}, who worry about {worry}.|Typically {who}, "
    "sometimes {whob}.|People who struggle with {worry} and {worry2}.|They want to {want}, yet {worry} gets in the "
    "way.|Ideal client: {who2} {trait}.|About 80% are {who}, the rest {whob}.|{who} {trait} and eager to {do}.|My "
    "community is full of {who2}.|Most of them have tried to {do} before and got {pain} instead.|They are motivated, "
    "kind, and ready to {want}.|I love working with {who2}, because they truly want to {want}.|Their biggest fear is "
    "{worry}."
)

OFFERING_FRAGMENTS = phrases(
    "{product}|{product}, {product2}|{swap}|{craft} + {craft2}|free {product}|{pct} commission|{stage}, {swap}|"
    "{product} ({price})|1:1 {craft}|coaching, courses, {product}|promotion to my {crowd}|{product} for {who}"
)
OFFERING = phrases(
    "My main program is a {product} for {who}.|I offer a {product} and a {product2}.|A {weeks} week {product} that "
    "helps {who} {do}.|We provide {craft} for {who}.|{pct} commission on my {price} {product}.|I can promote you to "
    "my {crowd} of {size} {who}.|I have a {nice} {product} that shows people how to {do}.|Happy to do {swap} with the "
    "right person.|I give a free {product} to your {crowd}.|Private sessions in {craft} and {craft2}.|I can speak "
    "about {craft} or teach a {product2}.|Clients go from {pain} to {win} in {weeks} weeks.|{win} for my {crowd}, "
    "with a {nice} approach.|An online class about {craft}, {price}.|I host a show and love to interview {xexperts}.|"
    "Everything one needs to {do}: templates, calls, support.|I bring {years} years of {craft} to your {crowd}.|We "
    "take over {craft} so you can {want}.|Group calls twice a month plus a {product2}.|A workshop where {who} {do}.|"
    "For your {crowd} I have a {nice} gift: a {product}.|I could write for you, review your {craft} or join as a "
    "guest {expert}."
)

SEEKING_FRAGMENTS = phrases(
    "{partners}|{stage}|{xexperts}|{swap}, {stage}|{stage} and {partners}|{xexperts} with a {crowd}|more clients|"
    "{partners} for my {product}|podcasts, summits, giveaways|{xwho}|introductions to {xwho}|{xexperts}, {xexperts2}|"
    "speaking about {craft}"
)
SEEKING = phrases(
    "I am looking for {xexperts} who serve {xwho}.|Looking for {partners} with a {crowd} of {xwho}.|I'd love {stage} "
    "where I can talk about {craft}.|We want to meet {xexperts} and {xexperts2}.|Someone who can help me with "
    "{xcraft}.|{partners} for the launch of my {product} {soon}.|Open to {swap}, {stage} and other ideas.|I need "
    "{xcraft}, my own attempts gave me {xpain}.|Hosts whose listeners are {xwho}.|I want to learn {xcraft} from a "
    "good {xexpert}.|People who can introduce me to {xwho}.|Looking to team up with a {xexpert} to offer a joint "
    "{xproduct}.|My goal is to get in front of {xwho} {trait}.|{xexperts} whose work completes mine: their {xcraft}, "
    "my {craft}.|I would like to find {stage}.|Ideal partner: a {xexpert} with {size} subscribers.|A {xexpert} who "
    "helps {xwho} {xdo}.|Clients who want to {do}.|I hope to find {nice} people who will send me {xwho}.|Affiliate "
    "offers about {xcraft} that I can share with my {crowd}."
)

STORY = phrases(
    "I started out in {craft2} and found my way to {craft} by accident.|After {years} years of {worry} I knew "
    "something had to change.|I live with two dogs and too many books.|{first} has spoken on {size} stages, or so it "
    "feels.|Let's talk!|My approach is {nice} and {nice}.|No fluff, no hype.|What makes us different? We care about "
    "{win}.|I have been featured in magazines and on radio.|Since then I've worked with hundreds of {who}.|It all "
    "began with {pain}.|Today {company} serves {who} in eleven countries.|I hold a degree in {craft2}.|My promise: "
    "{win}, or we keep going until it works.|I used to be one of those {who2}, and I remember {worry} well.|Ask me "
    "about {craft}.|I look forward to hearing from you :)|The method has three parts: see what is there, choose what "
    "matters, and {do}.|More at {site}|My clients say it feels like coming home.|One of them told me last year that "
    "she had never thought she could {do2}.|When I don't work I hike, cook and read about {craft2}.|We meet online, "
    "so it doesn't matter where people live.|I mentor {who2} free of charge once a month, because I was helped when "
    "{worry} was all I knew.|This is not therapy and not another course; it is a place where {who} {do} together."
)

PROJECTS = phrases(
    "launching a {product} {soon}|writing a book about {craft}|new {product2} for {who}|summit on {craft} {soon}|"
    "Building a membership for {who}, opening {soon}.|Relaunch of the {product}; looking for {partners}|podcast "
    "season two, with {xexperts}|tour of workshops: how to {do}"
)
UNUSABLE = ("", " ", "   ", "n/a", "N/A", "-", "--", "tbd", "?", "none", "x", "\n")
