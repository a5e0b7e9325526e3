import type { Caller } from "@mcp-lifeline/http-server/Caller"

/** Callers of other kinds have subjects that begin otherwise. */
const prefix = "client:"

export const of = (name: string): Caller => ({ subject: `${prefix}${name}`, name, claims: {} })

export const nameOf = ({ subject }: Pick<Caller, "subject">): string | undefined =>
  subject.startsWith(prefix) ? subject.slice(prefix.length) : undefined
