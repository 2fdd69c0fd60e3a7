type Position = { line: number; column: number };

/** A change of one place in a source. */
export type RawMutant = {
  file: string;
  /** Unique in its run. */
  id: string;
  /** Lines and columns are counted from 0. */
  location: { start: Position; end: Position };
  replacement: string;
  /** Whether it only changes the words of an error or of a line of the log. */
  isMessage: boolean;
};

/** @param sources by the paths of their files */
export function instrument(
  sources: Record<string, string>,
): Promise<{ code: Record<string, string>; mutants: RawMutant[] }>;
