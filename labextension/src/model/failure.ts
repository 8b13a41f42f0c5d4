/** What went wrong in somebody's code, and where: of a job, an application. */
export interface IFailure {
  type?: string | null;
  message: string;
  /** What the user calls the place: a cell's name. */
  label?: string | null;
  file?: string | null;
  line?: number | null;
  cell?: number | string | null;
  cellId?: string | null;
  traceback?: string[] | string | null;
  hint?: string | null;
}

export function traceback(error: IFailure | null | undefined): string {
  const lines = error?.traceback ?? [];
  return typeof lines === 'string' ? lines : lines.join('\n');
}
