import CliTable from "cli-table3"

export interface Grid {
  readonly head: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  /** The columns that may shrink, in this order, with their minimum width. */
  readonly shrinking: ReadonlyArray<readonly [column: number, least: number]>
  readonly paint?: ((text: string, row: number, column: number) => string) | undefined
}

/** There is one more border than columns. */
const fit = (
  rows: ReadonlyArray<ReadonlyArray<string>>,
  shrinking: Grid["shrinking"],
  width: number
): { readonly columns: ReadonlyArray<number>; readonly excess: number } => {
  const columns = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)) + 2)
  let excess = columns.reduce((sum, column) => sum + column, 0) + columns.length + 1 - width
  for (const [index, least] of shrinking) {
    const column = columns[index]
    if (column === undefined) continue
    const shrunk = Math.min(Math.max(0, excess), Math.max(0, column - least - 2))
    columns[index] = column - shrunk
    excess -= shrunk
  }
  return { columns, excess }
}

/** If the last column does not fit, its texts follow below the table. */
export const render = ({ head, paint = (text) => text, rows, shrinking }: Grid, width: number): string => {
  const last = head.length - 1
  const whole = fit([head, ...rows], shrinking, width)
  const narrow = whole.excess > 0
  const visible = <A>(row: ReadonlyArray<A>) => narrow ? row.slice(0, last) : [...row]
  const table = new CliTable({
    head: visible(head),
    colWidths: [...(narrow ? fit([head, ...rows].map(visible), shrinking, width) : whole).columns],
    style: { head: [], border: [], compact: true }
  })
  rows.forEach((row, index) => {
    table.push(visible(row).map((cell, column) => paint(cell, index, column)))
  })
  const below = narrow ? rows.filter((row) => row[last]) : []
  return [table.toString(), ...below.map((row) => `  ${row[0]}: ${row[last]}`.slice(0, width))].join("\n")
}
