// The rules of the little translation grammar, as far as the translator's menus go: words with their alignment.
// A piece is {en: [word], fr: [[word, [places of English words]]]}, as `translation_grammar.Part` has it.

const gloss = (en, fr) => ({ en: [en], fr: [[fr, [0]]] });

/** Pieces in their English order as one; `order` is their order in French. */
function arrange(parts, order = parts.map((_, k) => k)) {
  const starts = [0];
  for (const part of parts) starts.push(starts.at(-1) + part.en.length);
  const fr = order.flatMap((k) => parts[k].fr.map(([word, places]) => [word, places.map((i) => i + starts[k])]));
  return { en: parts.flatMap((part) => part.en), fr };
}

/** A determiner, adjectives, a noun: they agree, and most adjectives follow. */
function phrase(tables, det, looks, noun, negated) {
  const [name, forms, many] = tables.dets[det];
  const [en, fr, gender] = noun;
  const [masculine, feminine, plural] = (name === "a" && negated ? tables.noA : forms).split(" ");
  const form = many ? gender + gender : gender;
  const words = looks.map((word) => gloss(word, tables.looks[word][form]));
  const inside = [...words, gloss(en[+many], fr[+many])];
  const article = name === "a" && "aeiou".includes(inside[0].en[0][0]) ? "an" : name;
  const parts = [gloss(article, many ? plural : gender === "m" ? masculine : feminine), ...inside];
  const places = looks.map((_, k) => k + 1);
  const first = (k) => tables.first.includes(looks[k - 1]);
  const after = places.filter((k) => !first(k)).reverse(); // the farther in English, the later
  return { ...arrange(parts, [0, ...places.filter(first), parts.length - 1, ...after]), many };
}

/** The verb: alone, often, never, or not. */
function said(tables, how, verb, many) {
  const [one, frOne, frMany] = tables.verbs[verb];
  const [en, fr] = many ? [verb, frMany] : [one, frOne];
  if (how === "not") return { en: [many ? "do" : "does", "not", verb], fr: [["ne", [1]], [fr, [2]], ["pas", [1]]] };
  if (how === "never") return { en: ["never", en], fr: [["ne", [0]], [fr, [1]], ["jamais", [0]]] };
  return how ? arrange([gloss(how, tables.adverbs[how]), gloss(en, fr)], [1, 0]) : gloss(en, fr);
}

/** The sentence of a choice (det, looks, noun, how, verb, det, looks, noun). */
export function compose(tables, [det, looks, noun, how, verb, det2, looks2, noun2]) {
  const who = phrase(tables, det, looks, tables.who[noun], false);
  const does = said(tables, how, verb, who.many);
  const negated = how === "not" || how === "never";
  if (!(det2 in tables.pronouns))
    return arrange([who, does, phrase(tables, det2, looks2, tables.what[noun2], negated), gloss(".", ".")]);
  const fr = [...does.fr];
  fr.splice(negated ? 1 : 0, 0, [tables.pronouns[det2], [does.en.length]]);
  return arrange([who, { en: [...does.en, det2], fr }, gloss(".", ".")]);
}
