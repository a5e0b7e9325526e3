import { StdioFaultServer } from "../../src/index.js"
import * as ReplacedServer from "./ReplacedServer.js"

export type Server = StdioFaultServer.Command | { readonly url: string }

export type Wire = "stdio" | "Streamable HTTP"

export const servers = (["stdio", "Streamable HTTP"] as const).flatMap((wire) =>
  (["2025", "2026"] as const).map((era) => [wire, era] as const)
)

export const lastArguments = (server: Server): ReadonlyArray<string> =>
  "url" in server ? [server.url] : ["--", server.command, ...server.args]

/** In milliseconds: a server that lives answers within it, also on a busy machine. */
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

export interface Caller {
  readonly call: (tool: string) => Promise<string | undefined>
  readonly givenUp?: () => Promise<number> | number
}

export type Door = (server: Server, use: (caller: Caller) => Promise<void>) => Promise<void>

export const textOf = (result: unknown): string =>
  (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]?.text ?? ""

const isImpatience = (error: unknown): boolean =>
  (error as { readonly code?: unknown }).code === -32001 || (error as Error).name === "TimeoutError" ||
  /timed out/i.test(String(error))

export const unlessImpatient = (
  result: Promise<unknown>,
  isExpected: (error: unknown) => boolean = () => false
): Promise<string | undefined> =>
  result.then(textOf, (error: unknown) => {
    if (isImpatience(error) || isExpected(error)) return undefined
    throw error
  })

export const impatience = (): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), patience))

/** Over HTTP, only who connects anew finds another process. */
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
