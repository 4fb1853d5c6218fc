/** What is heard of each stem: levels, mutes and solos, as pure functions. */

export const FULL = 100;

export const fresh = (count) =>
  Array.from({ length: count }, () => ({ level: FULL, muted: false, solo: false }));

export const isFresh = (mix) => mix.every(({ level, muted, solo }) => level === FULL && !muted && !solo);

/** Return the mix with one stem changed. */
export const changed = (mix, index, change) =>
  mix.map((stem, i) => (i === index ? { ...stem, ...change } : stem));

/** Whether a stem is heard: solos silence all others, and a stem that is solo is heard though muted. */
export const isHeard = (mix, index) =>
  mix.some(({ solo }) => solo) ? mix[index].solo : !mix[index].muted;

/** Return each stem's factor; squared, so that the middle of a slider sounds half as loud. */
export const gainsOf = (mix) =>
  mix.map(({ level }, i) => (isHeard(mix, i) ? (level / FULL) ** 2 : 0));

/** Return a kept mix if it is one of so many stems, else a fresh one. */
export const restored = (kept, count) => {
  const is = (stem) =>
    stem && stem.level >= 0 && stem.level <= FULL && typeof stem.muted === "boolean" && typeof stem.solo === "boolean";
  return Array.isArray(kept) && kept.length === count && kept.every(is) ? kept : fresh(count);
};
