/**
 * Names of actors in rules, and the paths that they mean.
 *
 * Invariant: a name with a slash before it is a whole path; any other is the end of one, at a slash. `*` stands for anything but a slash.
 */
const patterns = new Map<string, RegExp>();
/** Names come from plans, which are few. */
const patternsMax = 1_000;

export function isActorNamed(name: string | undefined, path: string): boolean {
  return name === undefined || patternOf(name).test(path);
}

function patternOf(name: string): RegExp {
  const known = patterns.get(name);
  if (known !== undefined) return known;
  if (patterns.size === patternsMax) patterns.clear();
  const text = name.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^/]*');
  const pattern = new RegExp(`${name.startsWith('/') ? '^' : '(^|/)'}${text}$`);
  patterns.set(name, pattern);
  return pattern;
}
