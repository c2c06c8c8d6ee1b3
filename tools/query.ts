export type Row = Record<string, unknown>

/** Runs statements with `;` between them, and answers with the rows of the last one. */
export type Query = (sql: string) => Promise<Row[]>
