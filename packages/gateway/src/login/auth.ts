/** Shows no secrets. */
import * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as PendingLogin from "@mcp-lifeline/sign-in/PendingLogin"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect } from "effect"
import type { Output } from "../text/Output.js"
import { clean, json as jsonText, span } from "../text/Text.js"

export interface Options {
  readonly json: boolean
}

/** Times are milliseconds since 1970. */
interface Row {
  readonly server: string
  readonly account: string
  readonly issuer: string
  readonly state: "valid" | "renewable" | "expired" | "waiting"
  readonly scope: string | null
  /** When the access token expires, or the time to complete a login ends. */
  readonly until: number | null
  /** The address that the user has to open. */
  readonly address: string | null
}

const ofGrant = (grant: Grant.Grant, now: number): Row => ({
  server: grant.server,
  account: grant.account,
  issuer: grant.issuer,
  state: grant.expiresAt === undefined || grant.expiresAt > now
    ? "valid"
    : grant.refresh !== undefined || grant.method === "credentials"
    ? "renewable"
    : "expired",
  scope: grant.scope ?? null,
  until: grant.expiresAt ?? null,
  address: null
})

const ofLogin = (login: PendingLogin.PendingLogin): Row => ({
  server: login.server,
  account: login.account,
  issuer: login.issuer,
  state: "waiting",
  scope: login.scope ?? null,
  until: login.until,
  // That of one of several people is for that person.
  address: login.isPersonal === true ? null : login.address
})

const meaning = ({ state, until }: Row, now: number): string => {
  const left = until === null ? "" : span(until - now)
  switch (state) {
    case "valid":
      return until === null ? "valid" : `valid for ${left}`
    case "renewable":
      return "renewed when it is used"
    case "expired":
      return "expired: log in again"
    case "waiting":
      return `waiting for a login, for ${left}`
  }
}

const table = (rows: ReadonlyArray<Row>, now: number): string => {
  const lines = [
    ["server", "account", "signed in at", "rights", "token"],
    ...rows.map((row) => [row.server, row.account, row.issuer, row.scope ?? "", meaning(row, now)].map(clean))
  ]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join(
    "\n"
  )
}

export const run = ({ json }: Options, output: Output): Effect.Effect<void, never, StateFolder> =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    const now = yield* Clock.currentTimeMillis
    const grants = (yield* Grant.grants(folder).entries).map(([, grant]) => ofGrant(grant, now))
    const logins = (yield* PendingLogin.pendingLogins(folder).entries).map(([, login]) => login)
      .filter(({ until }) => until > now).map(ofLogin)
    const rows = [...grants, ...logins].toSorted((a, b) => a.server.localeCompare(b.server))
    if (json) return yield* output.line(jsonText(rows, 2))
    yield* output.line(rows.length === 0 ? `No login is stored in ${folder.path}` : table(rows, now))
  })
