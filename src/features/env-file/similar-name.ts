/**
 * The name most like this one, when it can be taken for a misspelling of it.
 * @param lettersPerMistake how long a name must be for one mistake in it; short names have neighbours with a meaning of
 * their own, such as HOST and POST
 */
export function similarName(name: string, names: string[], lettersPerMistake: number): string | undefined {
  const written = name.toUpperCase();
  const [nearest] = names
    .filter((candidate) => candidate.length >= lettersPerMistake)
    // Names whose lengths differ by more than that can't be near; an environment may hold hundreds.
    .filter((candidate) => Math.abs(candidate.length - written.length) <= candidate.length / lettersPerMistake)
    .map((candidate) => ({ candidate, distance: editDistance(written, candidate) }))
    .filter(({ candidate, distance }) => distance <= candidate.length / lettersPerMistake)
    .sort((a, b) => a.distance - b.distance);
  return nearest?.candidate;
}

/** How many letters must be inserted, removed, replaced or swapped with their neighbour (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let twoAbove: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current[column] = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (twoAbove[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [twoAbove, above] = [above, current];
  }
  return above[to.length] ?? 0;
}
