/** What a browser remembers of a song: its mix and loop, by the job's id and not by its address. */

const PREFIX = "stemcord:";

export function memory(pathname) {
  const [, id = ""] = /\/m\/([a-z0-9]+)\./.exec(pathname) ?? [];
  const storage = () => {
    // In a frame without an origin, and where cookies are forbidden, reading it throws.
    try {
      return window.localStorage;
    } catch {
      return null;
    }
  };
  return {
    read() {
      try {
        return JSON.parse(storage()?.getItem(PREFIX + id) ?? "null");
      } catch {
        return null;
      }
    },
    write(facts) {
      try {
        storage()?.setItem(PREFIX + id, JSON.stringify(facts));
      } catch {
        // It is full or forbidden; then it is forgotten with the page.
      }
    },
  };
}
