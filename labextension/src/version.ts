/** Equal to the version in package.json and of the Python package; a test keeps it so. */
export const VERSION = '0.1.0';

/** Negative if `left` is older than `right`. What follows the numbers (`rc1`, `.dev0`) is not compared. */
export function compareVersions(left: string, right: string): number {
  const numbers = (text: string) => (/^\d+(\.\d+)*/.exec(text)?.[0] ?? '0').split('.').map(Number);
  const [a, b] = [numbers(left), numbers(right)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference) {
      return difference;
    }
  }
  return 0;
}
