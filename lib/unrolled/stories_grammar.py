"""The wording of the travel stories, and nothing else: edit it, and every probability follows.

A rule has alternatives, one a line or between bars; "* 3" makes one three times as likely, "until lag" and
"after lag" say when it is open. <name> stands for a rule, {name} for a word of a table, and a sentence begins
with a capital by itself. The row of a table is chosen where it is first needed and kept to the end of the
story: that is how pronouns agree, and how the country decides the capital. The country is named once only,
so nothing else gives the capital away.
"""

# {he} and its kin: for one who is he, one who is she, one who is they. The verbs agree with the pronoun.
PRONOUNS = {
    "he": ("he", "she", "they"),
    "him": ("him", "her", "them"),
    "his": ("his", "her", "their"),
    "himself": ("himself", "herself", "themselves"),
    "was": ("was", "was", "were"),
    "has": ("has", "has", "have"),
    "is": ("is", "is", "are"),
    "does": ("does", "does", "do"),
    "says": ("says", "says", "say"),
}

TRAVELLERS = (
    "Tim Tom Ben Max Omar Hugo Ivan Paul".split(),
    "Ada Mia Nora Zoe Ruth Ines Lucy Rosa".split(),
    "Sam Alex Robin Kim".split(),
)

CAPITALS = {
    "France": "Paris",
    "Spain": "Madrid",
    "Italy": "Rome",
    "Greece": "Athens",
    "Norway": "Oslo",
    "Poland": "Warsaw",
    "Austria": "Vienna",
    "Ireland": "Dublin",
    "Germany": "Berlin",
    "Hungary": "Budapest",
    "Finland": "Helsinki",
    "Portugal": "Lisbon",
}

# What the traveller will lose, one way or another.
ITEMS = "umbrella hat map coat passport trumpet sandwich scarf camera ticket".split()

RULES = {
    "story": "<opening>. <more>",
    "more": "<scene> <more> until lag | <scene> <more> * 1 after lag | <ending>. * 3 after lag",
    "opening": """
        {name} was planning to visit {country} * 3
        {name} was planning to visit {country} with <what> * 2
        {name} had always dreamed of {country} and of <what>
        {name} won a trip to {country} and <what>
        {name} packed <what> and left for {country}
        {name's} <relative> had moved to {country} with <what>
        <once> {name} decided to see {country}
        <once> <someone> told {name} to visit {country}
    """,
    "scene": """
        <clause>. * 8
        <clause>, <and> <clause>. * 5
        <once> <clause>. * 3
        <weather>. * 2
        <lost>. * 3
        <ride>. * 3
        <meal>. * 3
        <museum>. * 3
        <call>. * 2
        <hotel>. * 3
        <habit>. * 3
    """,
    "clause": """
        <who> <verbed> <what> * 4
        <who> <verbed> <what> <place> * 3
        <who> <sang> <place>
        <who> gave <someone> <what>
        <someone> sold {him} <what>
        <a> <thing> was <mood>
    """,
    "weather": """
        it <rained> <place>, but not <place>
        it <rained> on <what>, and on {him}
        the wind took {his} {item} and <someone>
        the wind was <mood>. so {was} {he}
    """,
    "lost": """
        {he} left {his} {item} <place>
        {he} looked for {his} {item} <place> and found <what>
        {he} traded {his} {item} for <what>
        {his} {item} was <mood> and full of <food>
    """,
    "ride": """
        the <vehicle> was <number> <hours> late, because of <what>
        the <vehicle> waited <place> for <someone>
        {he} sat next to <someone> with <what>
        nobody <place> knew where the <vehicle> went
    """,
    "meal": """
        {he} ordered <food> and got <what>
        the <food> tasted of <food>, and a little of <thing>
        the <food> was <mood>, and so was <someone>
        {he} ate <number> plates of <food> and felt <mood>
    """,
    "museum": """
        {he} spent <number> <hours> in the museum of <adj> <things>
        the museum of <things> was closed, because of <food>
        in the museum {he} saw <someone> who <verbed> <what>
    """,
    "call": """
        {his} <relative> called and asked about <what>
        {his} <relative> called, but {he} {was} asleep <place>
        the phone rang. it was <someone>, for <someone>
    """,
    "hotel": """
        the hotel had <number> <things> and one bed
        from the bed {he} saw <what> <place>
        {he} paid for the room with <what>
        in {his} suitcase {he} found <what>
    """,
    "habit": """
        {he} still {has} <what>, {he} {says}
        nobody knows what {he} {does} with <what>
        {he} {is} afraid of <what>
        why {was} {he} <place>? because of <what>
        {he} wrote {himself} a <adj> letter
    """,
    "ending": """
        {he} took the <vehicle> from <town> to {capital} * 3
        {he} took the <vehicle> from <town> to {capital} with <what> * 3
        <once> {he} took a <adj> <vehicle> from <town> to {capital} * 2
        after <number> <hours> the <vehicle> stopped in {capital}
        {he} sent <someone> <what> from {capital}
        <once> {he} {was} in {capital}, without {his} {item}
        {he} found {his} {item} in {capital}, <place>
        <someone> was going to {capital}, and so {was} {he}
    """,
    "who": "{he} * 3 | <someone> * 4 | <a> <animal> | <a> <adj> <animal> * 2 | nobody",
    "someone": "<a> <person> * 3 | <a> <adj> <person> * 3 | {his} <relative>",
    "what": """
        <a> <thing> * 2 | <a> <adj> <thing> * 4 | <number> <things> | <number> <adj> <things>
        <a> <adj> <animal> * 2 | {his} {item} | <food>
    """,
    "a": "a * 2 | the * 2 | one | every | another | that",
    "and": "and * 2 | but * 2 | so | because | while | until",
    "once": """
        one day | last <day> | on <day> | at night | at last | in the end
        after <dinner> | before <dinner> | during <dinner>
    """,
    "day": "Monday | Tuesday | Friday | Sunday",
    "dinner": "breakfast | lunch | dinner | tea",
    "hours": "minutes | hours | days | weeks",
    "number": "two | three | four | five | six | seven | nine | twelve | forty",
    "rained": "rained * 3 | snowed * 2 | hailed",
    "sang": "slept | waited | sang | cried | danced | sneezed | stood on <a> <thing>",
    "place": "<near> the <spot> * 6 | on the <vehicle> | under the bed | at home",
    "near": "behind | under | near | inside | above | on",
    "spot": """
        station | bridge | museum | bakery | bank | church | library | fountain | market | hotel | pier
        zoo | castle | school | garden | tower
    """,
    "town": "London * 4 | Leeds | York | Bath | Dover",
    "vehicle": "train * 4 | bus | ferry | tram",
    "relative": "aunt | uncle | mother | father | sister | brother | dentist | lawyer",
    "person": """
        conductor | waiter | guard | nun | poet | farmer | pilot | king | tourist | plumber | judge | clown
        baker | nurse | spy | guide
    """,
    "animal": "cow | dog | cat | goose | horse | pigeon | goat | parrot | sheep | duck | fish | snail",
    "thing": """
        spoon | chair | clock | piano | lamp | kettle | pencil | bottle | shoe | sock | letter | stamp
        drum | mirror | carpet | ladder
    """,
    "things": """
        spoons | chairs | clocks | pianos | lamps | kettles | pencils | bottles | shoes | socks | letters
        stamps | drums | mirrors | carpets | ladders
    """,
    "adj": """
        small | large | wet | blue | red | green | quiet | famous | borrowed | heavy | cheap | broken
        cold | tiny | polite | golden | wooden | nervous | royal | second | sleepy | very <adj>
    """,
    "mood": "sad | happy | closed | late | grey | proud | wet | cold | tired | lost | on fire | quite <mood>",
    "food": """
        soup | bread | cheese | rice | cake | jam | honey | pie | butter | salad | cold <food> | burnt <food>
    """,
    "verbed": """
        ate | bought | sold | painted | admired | forgot | followed | kissed | counted | washed | stole
        insured | explained | measured | fixed | blamed | ignored | kept
    """,
}
