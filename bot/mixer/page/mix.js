/** The levels, mutes and solos of stems, as pure functions. */

export const FULL = 100;

export const fresh = (count) =>
  Array.from({ length: count }, () => ({ level: FULL, muted: false, solo: false }));

export const isFresh = (mix) => mix.every(({ level, muted, solo }) => level === FULL && !muted && !solo);

/** Return the mix with one stem changed. */
export const changed = (mix, index, change) =>
  mix.map((stem, i) => (i === index ? { ...stem, ...change } : stem));

/** Return whether a stem is heard: solos silence all other stems, and override mutes. */
export const isHeard = (mix, index) =>
  mix.some(({ solo }) => solo) ? mix[index].solo : !mix[index].muted;

/** Return each stem's gain: the square of its level, so a slider's middle sounds half as loud. */
export const gainsOf = (mix) =>
  mix.map(({ level }, i) => (isHeard(mix, i) ? (level / FULL) ** 2 : 0));

/** Return a stored mix if it is valid for this number of stems, else a new one. */
export const restored = (kept, count) => {
  const is = (stem) =>
    stem && stem.level >= 0 && stem.level <= FULL && typeof stem.muted === "boolean" && typeof stem.solo === "boolean";
  return Array.isArray(kept) && kept.length === count && kept.every(is) ? kept : fresh(count);
};
