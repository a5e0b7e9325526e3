import type { Report } from "@mcp-lifeline/core"

type Of<T extends Report["_tag"]> = Extract<Report, { readonly _tag: T }>

export const taking =
  <T extends Report["_tag"]>(tag: T, take: (report: Of<T>) => unknown) => (report: Report): void => {
    if (report._tag === tag) take(report as Of<T>)
  }
