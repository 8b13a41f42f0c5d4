/** What the server says of a pipeline of Elyra's beyond its graph: the file of each node. */
export interface IElyraFiles {
  files: Readonly<Record<string, string>>;
}

/** What became of a conversion, with a sentence on each thing that is not in it. */
export interface IConverted {
  path: string;
  notes: readonly string[];
}

/** The file that a node of the graph runs; null for a component, which runs none. */
export function fileOf(files: IElyraFiles | null, id: string | null): string | null {
  return (id && files?.files[id]) || null;
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.split('/').pop() || path;
}

/**
 * Whether Elyra itself is here: its editor then opens these files, and this view is one of the others.
 * Its plugin is called `pipeline`, and its file type too.
 */
export function hasElyra(plugins: readonly string[]): boolean {
  return plugins.some(id => id === 'pipeline' || id.startsWith('@elyra/pipeline-editor'));
}
