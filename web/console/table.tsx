import type { ComponentChildren } from 'preact'

interface Column<Row> {
  title: string
  cell: (row: Row) => ComponentChildren
}

interface TableProps<Row extends { id: string }> {
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  empty: string
}

/** A table that becomes a list on a narrow screen, where each cell names its column. */
export function Table<Row extends { id: string }>({ caption, columns, rows, empty }: TableProps<Row>) {
  if (rows.length === 0) return <p class="soft">{empty}</p>
  return (
    <table>
      <caption class="unseen">{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ title }) => (
            <th key={title} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id}>
            {columns.map(({ title, cell }) => (
              <td key={title} data-title={title}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
