/** Formats and parses times, and checks loops. */

export const SHORTEST_LOOP_S = 0.1;

const padded = (number, digits) => String(number).padStart(digits, "0");

/** Return a time like 4:05. */
export const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  return `${Math.floor(whole / 60)}:${padded(whole % 60, 2)}`;
};

/** Return a time like 4:05.250. */
export const exact = (seconds) => {
  const ms = Math.max(0, Math.round(seconds * 1000));
  return `${clock(Math.floor(ms / 1000))}.${padded(ms % 1000, 3)}`;
};

/** Parse 4:05.25, 245.25 or 4:05,25; return null for anything else. */
export const typed = (text) => {
  const found = /^\s*(?:(\d{1,3}):)?(\d{1,5})(?:[.,](\d{1,3}))?\s*$/.exec(text);
  if (!found) return null;
  const [, minutes, seconds, fraction = ""] = found;
  if (minutes !== undefined && Number(seconds) > 59) return null;
  return Number(minutes ?? 0) * 60 + Number(seconds) + Number(`0.${fraction || 0}`);
};

/** Return a loop, ordered and within the song, or null if it has no end or is too short. */
export const loopOf = ({ from, to }, seconds) => {
  if (from === null || to === null) return null;
  const [start, end] = [Math.max(0, Math.min(from, to)), Math.min(seconds, Math.max(from, to))];
  return end - start >= SHORTEST_LOOP_S ? { from: start, to: end } : null;
};
