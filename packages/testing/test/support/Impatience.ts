/**
 * Callers who have less patience than Lifeline, in front of a server that stops under a call: nobody but they would notice.
 */
import { StdioFaultServer } from "../../src/index.js"
import * as ReplacedServer from "./ReplacedServer.js"

/** A server that is started, or one at a URL. */
export type Server = StdioFaultServer.Command | { readonly url: string }

/** What carries the messages of a server. */
export type Wire = "stdio" | "Streamable HTTP"

/** Each wire and era of a server. */
export const servers = (["stdio", "Streamable HTTP"] as const).flatMap((wire) =>
  (["2025", "2026"] as const).map((era) => [wire, era] as const)
)

/** The server as the last arguments of `wrap`. */
export const lastArguments = (server: Server): ReadonlyArray<string> =>
  "url" in server ? [server.url] : ["--", server.command, ...server.args]

/**
 * How long they wait, in milliseconds. A server that lives answers within it, also on a busy machine; where it does not, its call is
 * made again.
 */
export const patience = 2500

/**
 * No heartbeat finds what a call does not find, and no limit of ours ends a call. Two probes are enough. On a busy machine a probe may be over
 * before `ReplacedServer` has seen it; then the attempt to connect asks the stopped process, and the one after it finds the next.
 */
export const settings = {
  keepalive: { method: "none", timeout: 1000, suspectInterval: 100, failureThreshold: 2 },
  timeouts: { connect: "20 seconds", request: "10 minutes" }
} as const

/** The same as arguments of `wrap`, which has no limit for calls anyway. */
export const asArguments: ReadonlyArray<string> = [
  "keepalive.method=none",
  "keepalive.timeout=1s",
  "keepalive.suspectInterval=100ms",
  "keepalive.failureThreshold=2",
  "timeouts.connect=20s"
].flatMap((one) => ["--option", one])

/** A caller who waits no longer than that. */
export interface Caller {
  /** The text that a tool answers, or `undefined` where the caller has given up. */
  readonly call: (tool: string) => Promise<string | undefined>
  /** How many calls were given up, where an operator sees it. */
  readonly givenUp?: () => Promise<number> | number
}

/** Uses a server through one of the ways in which Lifeline is used. */
export type Door = (server: Server, use: (caller: Caller) => Promise<void>) => Promise<void>

/** The text of a tool's result. */
export const textOf = (result: unknown): string =>
  (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]?.text ?? ""

/** The caller's own timeout, or the abort that stands for it. */
const isImpatience = (error: unknown): boolean =>
  (error as { readonly code?: unknown }).code === -32001 || (error as Error).name === "TimeoutError" ||
  /timed out/i.test(String(error))

/** The text of a result; nothing where the caller had no patience for it, or it fails with what `isExpected`. */
export const unlessImpatient = (
  result: Promise<unknown>,
  isExpected: (error: unknown) => boolean = () => false
): Promise<string | undefined> =>
  result.then(textOf, (error: unknown) => {
    if (isImpatience(error) || isExpected(error)) return undefined
    throw error
  })

/** Nothing, once a caller's patience is over. */
export const impatience = (): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), patience))

/**
 * Whether a server that stops under a call has another process afterwards, and the calls that were given up are counted. Over HTTP, only who
 * connects anew finds another process.
 */
export const isReplaced = async (door: Door, wire: Wire, era: "2025" | "2026"): Promise<boolean> => {
  let isReplaced = false
  const use = (server: Server): Promise<void> =>
    door(server, async ({ call, givenUp }) => {
      const answered = async (tool: string): Promise<string> => await call(tool) ?? answered(tool)
      const before = await answered("pid")
      if (await call("stop") !== undefined) throw new Error("a stopped process has answered")
      isReplaced = await answered("pid") !== before && (givenUp === undefined || await givenUp() > 0)
    })
  if (wire === "stdio") await use(StdioFaultServer.command({ era }))
  else await ReplacedServer.serve(era, (url) => use({ url }))
  return isReplaced
}
