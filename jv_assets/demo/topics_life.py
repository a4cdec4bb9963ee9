"""What the demo's people do for body and soul: families of phrases as in `topics_business`."""

from jv_assets.demo.lexicon import Topic

LIFE_TOPICS = (
    Topic(
        "mindset",
        weight=7,
        craft="mindset work|confidence coaching|hypnotherapy|neuroscience-based change|habit design",
        expert="mindset coach|hypnotherapist|life coach|habit specialist|confidence trainer",
        do="break through limiting beliefs|stop procrastinating|silence the inner critic|trust themselves again|"
        "rewire old patterns",
        pain="imposter syndrome|self-sabotage|second-guessing everything|fear of being seen",
        win="unshakable confidence|focus|follow-through|inner freedom",
        product="21-day mindset reset|breakthrough session|confidence audio library|Unblocked group program",
    ),
    Topic(
        "health",
        weight=6,
        craft="holistic health|functional medicine|hormone balance|gut health|natural healing",
        expert="health coach|naturopath|functional medicine doctor|wellness practitioner|herbalist",
        do="get their energy back|balance hormones naturally|calm inflammation|sleep through the night|heal what "
        "prescriptions didn't fix",
        pain="constant fatigue|brain fog|bloating|doctors who shrug|hot flashes",
        win="vibrant health|restful sleep|steady energy|clear labs",
        product="gut reset protocol|hormone harmony program|wellness membership|at-home testing package",
    ),
    Topic(
        "food",
        weight=4,
        craft="nutrition|weight loss|plant-based cooking|intuitive eating|meal planning",
        expert="dietitian|nutritionist|cooking teacher|weight loss coach",
        do="lose the last twenty pounds without dieting|make peace with food|cook healthy dinners in half an hour|"
        "stop emotional eating|drop sugar for good",
        pain="yo-yo diets|cravings at 9pm|counting calories|clothes that don't fit",
        win="a lighter body|freedom around food|better blood sugar",
        product="meal plan subscription|sugar detox|kitchen confidence class|non-diet group",
    ),
    Topic(
        "movement",
        weight=3,
        craft="fitness|yoga|strength training|pain relief|mobility",
        expert="personal trainer|yoga teacher|physical therapist|movement coach",
        do="move without aches|get strong after 50|exercise at home in 20 minutes|fix their back|love working out "
        "again",
        pain="sore knees|back trouble|gyms that intimidate|sitting all day",
        win="strength|flexibility|less soreness|staying power",
        product="chair yoga series|strong at any age plan|posture fix video course|small group training",
    ),
    Topic(
        "love",
        weight=4,
        craft="relationships|dating|marriage counselling|intimacy|communication skills for couples",
        expert="relationship coach|marriage therapist|dating expert|matchmaker",
        do="find love after divorce|communicate without fighting|bring back the spark|attract a healthy partner|heal "
        "from heartbreak",
        pain="the same argument again|lonely evenings|toxic exes|feeling like roommates",
        win="lasting love|a happy marriage|connection|deeper intimacy",
        product="love after loss program|couples weekend|dating detox|conscious relationship course",
    ),
    Topic(
        "family",
        weight=4,
        craft="parenting|family wellbeing|homeschooling|child development|teen coaching",
        expert="parenting coach|child psychologist|teen mentor|family therapist|homeschool mom",
        do="raise confident kids|get through bedtime without yelling|connect with a teenager who won't talk|support a "
        "child with ADHD|enjoy family life again",
        pain="meltdowns|screen time battles|guilt|sleepless nights",
        win="peaceful homes|cooperation|kids who listen|close families",
        product="calm parent toolkit|teen connection workshop|sleep plan for toddlers|family reset week",
    ),
    Topic(
        "spirit",
        weight=6,
        craft="energy healing|spiritual growth|meditation|intuition|soul purpose",
        expert="energy healer|spiritual teacher|intuitive guide|meditation teacher|medium",
        do="live their purpose|open their intuition|clear energetic blocks|manifest with ease|find stillness in the "
        "noise",
        pain="feeling disconnected|carrying old wounds|searching for meaning|empathic overload",
        win="inner peace|alignment|a sense of purpose|joy",
        product="guided meditation bundle|soul path reading|energy clearing circle|awakening retreat",
    ),
    Topic(
        "stress",
        weight=4,
        craft="stress relief|trauma recovery|burnout prevention|grief support|tapping and breathwork",
        expert="trauma therapist|breathwork facilitator|grief counsellor|resilience trainer|tapping practitioner",
        do="recover from burnout|regulate their nervous system|let go of old trauma|move through grief|breathe again",
        pain="anxiety|overwhelm|panic at 3am|running on empty|loss",
        win="calm|resilience|a rested nervous system|hope",
        product="nervous system reset|grief circle|breathwork journey|burnout recovery plan",
    ),
    Topic(
        "learning",
        weight=3,
        craft="teaching|tutoring|language learning|corporate training|study skills",
        expert="teacher|tutor|language coach|learning designer|trainer",
        do="learn a language in a year|pass exams without tears|speak English with confidence|teach online and get "
        "paid|remember what they read",
        pain="boring classes|exam nerves|forgetting everything|accent worries",
        win="fluency|better grades|curiosity|certified skills",
        product="conversation club|exam prep pack|teach online starter course|learning passport",
    ),
)
