/** Formats times and sizes for display. The caller passes the sandbox's time. */

const LOCALE = "en";
const DAY_MS = 86_400_000;
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const STYLES = {
  t: { hour: "2-digit", minute: "2-digit" },
  T: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  d: { day: "2-digit", month: "2-digit", year: "numeric" },
  D: { day: "numeric", month: "long", year: "numeric" },
  f: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
  F: { weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
};

const show = (date, style, locale = LOCALE) =>
  new Intl.DateTimeFormat(locale, { ...STYLES[style], hour12: false }).format(date);

export function relative(date, nowMs, locale = LOCALE) {
  const seconds = (date.getTime() - nowMs) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return new Intl.RelativeTimeFormat(locale, { numeric: "always" }).format(
    Math.round(seconds / length),
    unit,
  );
}

/** Format Discord's `<t:...:style>` in the reader's language, treating an unknown style as `f`. */
export function timestamp(date, style, nowMs, locale) {
  if (Number.isNaN(date.getTime())) return "Invalid date";
  return style === "R" ? relative(date, nowMs, locale) : show(date, style in STYLES ? style : "f", locale);
}

export const clockTime = (date) => show(date, "t");
export const longDate = (date) => show(date, "D");
export const sameDay = (one, other) => one.toDateString() === other.toDateString();

/** Format the time beside a message's author, with the date unless it is today. */
export function messageTime(date, nowMs) {
  const now = new Date(nowMs);
  if (sameDay(date, now)) return clockTime(date);
  if (sameDay(date, new Date(nowMs - DAY_MS))) return `Yesterday at ${clockTime(date)}`;
  return `${show(date, "d")}, ${clockTime(date)}`;
}

export function fileSize(bytes) {
  if (!Number.isFinite(bytes)) return "";
  if (bytes < 1024) return `${bytes} bytes`;
  const [amount, unit] = bytes < 1024 ** 2 ? [bytes / 1024, "KB"] : [bytes / 1024 ** 2, "MB"];
  return `${amount.toFixed(2)} ${unit}`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "0:00";
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
