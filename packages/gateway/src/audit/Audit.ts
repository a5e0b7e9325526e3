/**
 * The answer of a call waits until its line is in the file.
 */
import { ExactJson } from "@mcp-lifeline/core/text"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { Named } from "@mcp-lifeline/protocol"
import { Clock, Effect, Predicate, type Scope } from "effect"
import { isReadable } from "../conversation/errors.js"
import type { Client as Introduced } from "../conversation/introductions.js"
import { StartError } from "../text/Errors.js"
import { version } from "../text/Version.js"
import { AuditFile, type Options as FileOptions } from "./AuditFile.js"
import { type AuditClient, type AuditLine, rounded } from "./AuditLine.js"
import { canonical, digest, hashOf } from "./canonical.js"
import * as Ended from "./Ended.js"
import { type Trouble, troubleOf } from "./trouble.js"

export interface Options extends Pick<FileOptions, "size" | "files" | "full"> {
  readonly file: string
  /** Lines have the arguments of calls, as they are. */
  readonly withArguments: boolean
}

export interface Arrived {
  readonly door: AuditLine["door"]
  readonly id?: string | number | undefined
  readonly caller: Caller
  /** As the program of the caller says. */
  readonly introduced?: Pick<Introduced, "clientInfo"> | undefined
  readonly method: string
  readonly params: Readonly<Record<string, unknown>> | undefined
}

export interface AuditedCall {
  readonly sent: (generation: number) => void
  /** What it names: the server, and the name or URI there if that is another. */
  readonly found: (server: string, original?: string) => void
  /** The params that the server gets. */
  readonly sentAs: (server: string, params: Arrived["params"]) => void
  readonly isSent: () => boolean
  /** Writes its line. `done`: whether the caller may get the answer. */
  readonly ended: (ended: Ended.Ended, done: (mayAnswer: boolean) => void) => void
}

export interface AuditStatus {
  readonly file: string
  readonly problem?: string | undefined
  readonly lost: number
}

export interface Audit {
  /** Why the file cannot be written now, and what helps; `undefined` if it can. */
  readonly problem: () => string | undefined
  readonly refusal: () => string | undefined
  readonly status: () => AuditStatus
  readonly begin: (arrived: Arrived) => AuditedCall
}

/** In characters: a text of a client, and all arguments together. */
const most = { text: 500, arguments: 64 * 1024 }

const { isRecord, isString } = Predicate

const textOf = (value: unknown): string => isString(value) ? value.slice(0, most.text) : ""

/** With a hash of the whole unless the text is all of it. */
const shownName = (name: unknown): { readonly text: string; readonly hash?: string } => {
  if (name === undefined) return { text: "" }
  if (!isReadable(name)) return { text: "[nested too deeply to be written]" }
  const whole = isString(name) ? name : canonical(name)
  const cut = whole.length <= most.text ? "" : `[cut: ${whole.length} characters]`
  const text = textOf(whole) + cut
  return text === name ? { text } : { text, hash: digest(name) }
}

/** In the form of the W3C. */
const traceOf = (params: Arrived["params"]): string | undefined => {
  const meta = params?.["_meta"]
  const parent = isRecord(meta) ? meta["traceparent"] : undefined
  return isString(parent) ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(parent.slice(0, 64))?.[1] : undefined
}

const shownGiven = (given: unknown, isShown: boolean): { readonly hash?: string; readonly shown?: unknown } => {
  if (!isReadable(given)) return isShown ? { shown: "[nested too deeply to be written]" } : {}
  const text = canonical(given)
  const hash = hashOf(text)
  if (!isShown) return { hash }
  const { length } = text
  return { hash, shown: length > most.arguments ? `[cut: ${length} characters]` : given }
}

const givenOf = (params: Arrived["params"], isShown: boolean) => {
  const { hash, shown } = shownGiven(params?.["arguments"] ?? {}, isShown)
  const input = params?.["inputResponses"]
  const answers = input === undefined ? undefined : shownGiven(input, isShown)
  return { hash, arguments: shown, inputHash: answers?.hash, input: answers?.shown } satisfies Partial<AuditLine>
}

/** A cut subject could be that of somebody else: a hash stands for the end of a long one. */
const subjectOf = (subject: string): string =>
  subject.length <= most.text ? subject : `${subject.slice(0, most.text - 80)} ${digest(subject)}`

const clientOf = ({ name, subject }: Caller, introduced?: Pick<Introduced, "clientInfo">): AuditClient => ({
  subject: subject === "" ? undefined : subjectOf(subject),
  name: name === undefined ? undefined : textOf(name),
  program: introduced && textOf(introduced.clientInfo.name),
  version: introduced && textOf(introduced.clientInfo.version)
})

const lineOf = (value: object): string => {
  try {
    return ExactJson.stringify(value)
  } catch {
    // A client's text can be anything; who called what must be there in any case.
    return JSON.stringify({ ...value, arguments: "[cannot be written]" })
  }
}

/** Records until the scope closes. Fails if the file cannot be opened. */
export const make = (
  { file: path, withArguments, ...options }: Options,
  log: (message: string) => void
): Effect.Effect<Audit, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const refused = ({ reason }: Trouble): string => `${path} cannot be written (${reason})`
    const open = new Set<AuditedCall>()
    const iso = (): string => new Date(clock.unsafeCurrentTimeMillis()).toISOString()
    let said = 0
    /** Once lines can be written again. */
    const sayLost = (file: AuditFile): void => {
      if (options.full === "stop" || file.trouble !== undefined || file.lost === said) return
      file.write(JSON.stringify({ event: "lost", time: iso(), lines: file.lost - said }), () => undefined)
      said = file.lost
    }
    const file: AuditFile = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          AuditFile.open({
            ...options,
            path,
            onTrouble: (trouble, lost) => {
              log(
                trouble === undefined
                  ? `${path} can be written again${lost === 0 ? "" : `; missing lines of calls: ${lost}`}`
                  : options.full === "stop"
                  ? `${
                    refused(trouble)
                  }: calls are refused until it can; ${trouble.remedy}, or start with --audit-full go-on`
                  : `${refused(trouble)}: calls go on without a line; ${trouble.remedy}`
              )
              if (trouble === undefined) sayLost(file)
            }
          }),
        catch: (cause) => {
          const { reason, remedy } = troubleOf(cause, path)
          return new StartError({ message: `--audit: ${path} cannot be opened: ${reason}; ${remedy}`, cause })
        }
      }),
      (file) =>
        Effect.promise(async () => {
          for (const call of open) call.ended(Ended.byEnd(call.isSent()), () => undefined)
          sayLost(file)
          await file.close()
          if (file.trouble !== undefined && file.lost > 0) {
            log(`${refused(file.trouble)}; missing lines of calls: ${file.lost}`)
          }
        })
    )
    // It also shows whether there is room, before anything is called.
    yield* Effect.async<void>((resume) => {
      const started = { event: "start", time: iso(), version, pid: process.pid }
      file.write(JSON.stringify(started), () => resume(Effect.void))
    })
    const begin: Audit["begin"] = ({ caller, door, id, introduced, method, params }) => {
      const time = iso()
      const millis = (): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6
      const arrivedAt = millis()
      const asked = Named.valueOf(method, params)
      let trace = traceOf(params)
      let [server, tool]: [string | null, unknown] = [null, asked]
      let [attempts, sentAt]: [number, number | undefined] = [0, undefined]
      let generation: number | undefined
      const call: AuditedCall = {
        sent: (on) => {
          attempts++
          generation = on
          sentAt = millis()
        },
        found: (id, original = tool) => {
          server = id
          tool = original
        },
        sentAs: (id, sent) => {
          server = id
          tool = Named.valueOf(method, sent)
          trace = traceOf(sent) ?? trace
        },
        isSent: () => attempts > 0,
        ended: ({ code, fate, outcome, reason }, done) => {
          if (!open.delete(call)) return done(true)
          const now = millis()
          const shown = shownName(tool)
          const given = asked === tool ? undefined : shownName(asked)
          const line: AuditLine = {
            event: "call",
            time,
            id: isString(id) ? textOf(id) : id,
            trace,
            door,
            client: clientOf(caller, introduced),
            method,
            server,
            tool: shown.text,
            toolHash: shown.hash,
            as: given?.text,
            asHash: given?.hash,
            ...givenOf(params, withArguments),
            outcome,
            code,
            reason,
            fate,
            attempts,
            generation,
            waited: rounded(Math.max(0, (sentAt ?? now) - arrivedAt)),
            answered: sentAt === undefined ? undefined : rounded(Math.max(0, now - sentAt))
          }
          sayLost(file)
          file.write(lineOf(line), (isThere) => done(isThere || options.full === "go-on"))
        }
      }
      open.add(call)
      return call
    }
    const problem = (): string | undefined => file.trouble && `${refused(file.trouble)}; ${file.trouble.remedy}`
    return {
      problem,
      refusal: () =>
        file.trouble === undefined || options.full === "go-on"
          ? undefined
          : `nothing is done without a line in the audit, and ${problem()}`,
      status: () => {
        const outcome = options.full === "stop" ? "calls are refused" : "calls have no line"
        const problem = file.trouble && `${refused(file.trouble)}, so ${outcome}; ${file.trouble.remedy}`
        return { file: path, lost: file.lost, problem }
      },
      begin
    }
  })
