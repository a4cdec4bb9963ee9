"""The demo's few texts in other languages: sentences for each embedded column, with topics and people to fill in."""

from dataclasses import dataclass

from jv_assets.demo.lexicon import phrases


@dataclass(frozen=True, eq=False)
class Language:
    """`share` is out of 1,000 profiles with text."""

    key: str
    share: int
    topic: tuple[str, ...]
    people: tuple[str, ...]
    sentences: dict[str, tuple[str, ...]]


LANGUAGES = (
    Language(
        "es",
        share=12,
        topic=phrases("marketing digital|crecimiento personal|nutrición|finanzas personales|liderazgo|ventas"),
        people=phrases("emprendedoras|mujeres mayores de 40|pequeños negocios|coaches y terapeutas|madres ocupadas"),
        sentences={
            "what_you_do": phrases(
                "Ayudo a {people} con {topic}.|Soy mentora de {topic} y acompaño a {people} desde hace diez años.|"
                "Enseño {topic} de forma sencilla.|Formación y consultoría en {topic}."
            ),
            "who_you_serve": phrases(
                "{people} que quieren crecer.|Trabajo sobre todo con {people}.|{people} en España y Latinoamérica|"
                "{people}, {people}"
            ),
            "offering": phrases(
                "Programa online de {topic} para {people}.|Ofrezco talleres, mentorías y un curso de {topic}.|"
                "Comisión del 30% y un taller gratuito de {topic}.|Sesiones individuales de {topic}"
            ),
            "seeking": phrases(
                "Busco socios con comunidad de {people}.|Colaboraciones, entrevistas en podcasts y afiliados.|Quiero "
                "conocer a expertos en {topic}.|Busco alianzas para llegar a {people}."
            ),
        },
    ),
    Language(
        "de",
        share=9,
        topic=phrases(
            "Führung|gesunde Ernährung|Vertrieb|Online-Marketing|Stressbewältigung|Persönlichkeitsentwicklung"
        ),
        people=phrases("Selbstständige|Frauen ab 40|kleine Unternehmen|Trainer und Berater|Führungskräfte"),
        sentences={
            "what_you_do": phrases(
                "Ich begleite {people} beim Thema {topic}.|Beratung und Training rund um {topic}.|Seit fünfzehn "
                "Jahren unterstütze ich {people}: {topic} ohne Umwege.|{topic} für {people}"
            ),
            "who_you_serve": phrases(
                "{people}, die wachsen wollen.|Meine Kunden sind {people}.|{people} im deutschsprachigen Raum|Vor "
                "allem {people} und {people}."
            ),
            "offering": phrases(
                "Onlinekurs zu {topic}, 8 Wochen.|Workshops und Vorträge über {topic}.|Einzelcoaching für {people}, "
                "dazu ein Newsletter mit 5.000 Lesern.|Gastbeiträge über {topic}"
            ),
            "seeking": phrases(
                "Suche Kooperationspartner, die {people} ansprechen.|Podcasts, in denen ich über {topic} sprechen "
                "kann.|Empfehlungspartner und Affiliates|Ich suche Experten für {topic}."
            ),
        },
    ),
    Language(
        "fr",
        share=7,
        topic=phrases("la communication|le bien-être|la gestion du temps|la vente en ligne|l'écriture"),
        people=phrases("les entrepreneures|les indépendants|les thérapeutes|les parents débordés|les dirigeants"),
        sentences={
            "what_you_do": phrases(
                "J'aide {people} à progresser grâce à {topic}.|Formatrice spécialisée dans {topic}.|J'accompagne "
                "{people} depuis 2012."
            ),
            "who_you_serve": phrases("Surtout {people}.|Mes clients : {people}.|{people} en France et en Belgique"),
            "offering": phrases(
                "Un programme en ligne sur {topic}.|Ateliers et conférences : {topic}.|Commission de 40 % sur ma "
                "formation."
            ),
            "seeking": phrases(
                "Je cherche des partenaires qui touchent {people}.|Des invitations dans des podcasts sur {topic}.|Des "
                "affiliés pour mon lancement"
            ),
        },
    ),
    Language(
        "pt",
        share=5,
        topic=phrases("marketing de conteúdo|saúde da mulher|educação financeira|carreira|meditação"),
        people=phrases("empreendedoras|pequenas empresas|mães|profissionais liberais"),
        sentences={
            "what_you_do": phrases("Ajudo {people} com {topic}.|Sou consultora de {topic}.|Cursos e mentoria: {topic}"),
            "who_you_serve": phrases(
                "{people} que querem mudar de vida.|Atendo principalmente {people}.|{people} no Brasil"
            ),
            "offering": phrases("Curso online de {topic}.|Mentoria em grupo para {people}.|Palestras sobre {topic}"),
            "seeking": phrases(
                "Procuro parceiros com público de {people}.|Entrevistas e afiliados|Parcerias em {topic}."
            ),
        },
    ),
    Language(
        "ja",
        share=3,
        topic=phrases("マーケティング|健康と栄養|リーダーシップ|英語学習|マインドフルネス"),
        people=phrases("女性起業家|中小企業の経営者|コーチやセラピスト|働くお母さん"),
        sentences={
            "what_you_do": phrases(
                "{people}のために{topic}を教えています。|{topic}の講師です。|{people}の{topic}を支援します。"
            ),
            "who_you_serve": phrases("主に{people}です。|成長したい{people}|{people}と{people}"),
            "offering": phrases(
                "{topic}のオンライン講座。|{people}向けのワークショップを提供します。|{topic}の個別相談"
            ),
            "seeking": phrases(
                "{people}に届くパートナーを探しています。|ポッドキャストの出演|{topic}の専門家と協力したいです。"
            ),
        },
    ),
    Language(
        "el",
        share=2,
        topic=phrases("ψηφιακό μάρκετινγκ|διατροφή|προσωπική ανάπτυξη|ηγεσία"),
        people=phrases("γυναίκες επιχειρηματίες|μικρές επιχειρήσεις|γονείς|εκπαιδευτές"),
        sentences={
            "what_you_do": phrases("Βοηθάω {people} με {topic}.|Σύμβουλος για {topic}."),
            "who_you_serve": phrases("Κυρίως {people}.|{people} και {people}"),
            "offering": phrases("Διαδικτυακό πρόγραμμα: {topic}.|Σεμινάρια για {people}."),
            "seeking": phrases("Ψάχνω συνεργάτες που απευθύνονται σε {people}.|Συνεντεύξεις σε podcast"),
        },
    ),
)
