/**
 * Records each call of a client: who called what, and what became of it. The answer of a call waits until its line is in the file.
 */
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { type Answer, type ClientRequest, JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import { Clock, Effect, Predicate, type Scope } from "effect"
import type { Step } from "../conversation/Handler.js"
import type { Client as Introduced } from "../conversation/introductions.js"
import { StartError } from "../Errors.js"
import { version } from "../Version.js"
import { masked } from "../wrap/masked.js"
import { AuditFile, type WhenFull } from "./AuditFile.js"
import type { AuditClient, AuditLine, Fate, Outcome } from "./AuditLine.js"
import { canonical, digest } from "./canonical.js"

/** How calls are recorded. */
export interface Options {
  readonly file: string
  readonly size: number
  readonly files: number
  readonly full: WhenFull
  /** Whether lines have the arguments of calls, with what looks like a secret masked. */
  readonly withArguments: boolean
}

/** A call when it arrives. */
export interface Arrived {
  readonly door: AuditLine["door"]
  readonly id?: string | number | undefined
  readonly client: AuditClient
  readonly method: string
  readonly params: Readonly<Record<string, unknown>> | undefined
}

/** How a call ended. */
export interface Ended {
  readonly outcome: Outcome
  readonly fate: Fate
  readonly code?: number | undefined
  readonly reason?: string | undefined
}

/** A call on its way. */
export interface AuditedCall {
  /** It is sent now. */
  readonly sent: (generation: number) => void
  /** Its server, and the params that this gets. */
  readonly found: (server: string | undefined, params?: Readonly<Record<string, unknown>>) => void
  /** Whether it was ever sent. */
  readonly isSent: () => boolean
  /** Writes its line. `done`: whether the caller may get the answer. */
  readonly ended: (ended: Ended, done: (mayAnswer: boolean) => void) => void
}

/** The state of the file, for the status of the gateway. */
export interface AuditStatus {
  readonly file: string
  readonly problem?: string | undefined
  readonly lost: number
}

/** Records calls. */
export interface Audit {
  /** Why calls are refused now; `undefined` if they are not. */
  readonly refusal: () => string | undefined
  readonly status: () => AuditStatus
  readonly begin: (arrived: Arrived) => AuditedCall
}

const methods: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"])

/** How many characters of a text of a client stay, and of all arguments together. */
const most = { text: 500, arguments: 64 * 1024 }

const { isNumber, isRecord, isString } = Predicate

/** A text of a client: short, and with what looks like a secret masked. */
const textOf = (value: unknown): string => isString(value) ? String(masked(value.slice(0, most.text))) : ""

const nameOf = (params: Arrived["params"]): string => textOf(params?.["name"] ?? params?.["uri"])

/** The id of a trace in the form of the W3C. */
const traceOf = (params: Arrived["params"]): string | undefined => {
  const meta = params?.["_meta"]
  const parent = isRecord(meta) ? meta["traceparent"] : undefined
  return isString(parent) ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(parent.slice(0, 64))?.[1] : undefined
}

const argumentsOf = (given: unknown): Pick<AuditLine, "arguments"> => {
  const text = canonical(given)
  return { arguments: text.length > most.arguments ? `[cut: ${text.length} characters]` : masked(given) }
}

/** A subject as it is, because one that is masked or cut could be that of somebody else, too. A hash stands for the end of a long one. */
const subjectOf = (subject: string): string =>
  subject.length <= most.text ? subject : `${subject.slice(0, most.text - 80)} ${digest(subject)}`

/** Who calls, from what the listener has made sure of and what the program says of itself. */
export const clientOf = ({ name, subject }: Caller, introduced?: Pick<Introduced, "clientInfo">): AuditClient => ({
  ...(subject === "" ? {} : { subject: subjectOf(subject) }),
  ...(name === undefined ? {} : { name: textOf(name) }),
  ...(introduced === undefined ? {} : {
    program: textOf(introduced.clientInfo.name),
    version: textOf(introduced.clientInfo.version)
  })
})

const lineOf = (value: object): string => {
  try {
    return JSON.stringify(value)
  } catch {
    // A text of a client can be anything; who called what must be there in any case.
    return JSON.stringify({ ...value, arguments: "[cannot be written]" })
  }
}

/** Opens the file, and records until the scope closes. Fails if the file cannot be opened. */
export const make = (
  { file: path, withArguments, ...options }: Options,
  log: (message: string) => void
): Effect.Effect<Audit, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const refused = (problem: string): string => `${path} cannot be written (${problem})`
    const file = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          AuditFile.open({
            ...options,
            path,
            onTrouble: (problem, lost) =>
              log(
                problem === undefined
                  ? `${path} can be written again${lost === 0 ? "" : `; ${lost} lines of calls are missing`}`
                  : options.full === "stop"
                  ? `${refused(problem)}: calls are refused until it can; make room, or start with --audit-full go-on`
                  : `${refused(problem)}: calls go on without a line`
              )
          }),
        catch: (cause) =>
          new StartError({
            message: `--audit: ${path} cannot be opened: ${
              (cause as Error).message
            }; give a file in a folder that exists`,
            cause
          })
      }),
      (file) => Effect.promise(() => file.close())
    )
    const iso = (): string => new Date(clock.unsafeCurrentTimeMillis()).toISOString()
    // It also shows whether there is room, before anything is called.
    yield* Effect.async<void>((resume) => {
      const started = { event: "start", time: iso(), version, pid: process.pid }
      file.write(JSON.stringify(started), () => resume(Effect.void))
    })
    let said = 0

    const begin: Audit["begin"] = ({ client, door, id, method, params }) => {
      const time = iso()
      const millis = (): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6
      const arrivedAt = millis()
      const given = params?.["arguments"] ?? {}
      const asked = nameOf(params)
      let trace = traceOf(params)
      let [server, tool]: [string | null, string] = [null, asked]
      let [attempts, sentAt]: [number, number | undefined] = [0, undefined]
      let generation: number | undefined
      let isWritten = false
      return {
        sent: (on) => {
          attempts++
          generation = on
          sentAt = millis()
        },
        found: (id, sent) => {
          server = id ?? server
          if (sent === undefined) return
          tool = nameOf(sent)
          trace = traceOf(sent) ?? trace
        },
        isSent: () => attempts > 0,
        ended: ({ code, fate, outcome, reason }, done) => {
          if (isWritten) return done(true)
          isWritten = true
          const now = millis()
          const rounded = (value: number): number => Math.max(0, Math.round(value * 100) / 100)
          const line: AuditLine = {
            event: "call",
            time,
            id: isString(id) ? textOf(id) : id,
            trace,
            door,
            client,
            method,
            server,
            tool,
            as: asked === tool ? undefined : asked,
            hash: digest(given),
            ...(withArguments ? argumentsOf(given) : {}),
            outcome,
            code,
            reason,
            fate,
            attempts,
            generation,
            waited: rounded((sentAt ?? now) - arrivedAt),
            answered: sentAt === undefined ? undefined : rounded(now - sentAt)
          }
          if (options.full === "go-on" && file.problem === undefined && file.lost > said) {
            file.write(JSON.stringify({ event: "lost", time: iso(), lines: file.lost - said }), () => undefined)
            said = file.lost
          }
          file.write(lineOf(line), (isThere) => done(isThere || options.full === "go-on"))
        }
      }
    }
    return {
      refusal: () =>
        file.problem === undefined || options.full === "go-on"
          ? undefined
          : `the audit ${refused(file.problem)}, and nothing is done without a line in it`,
      status: () => ({
        file: path,
        lost: file.lost,
        ...(file.problem === undefined ? {} : { problem: refused(file.problem) })
      }),
      begin
    }
  })

/** What an answer says of a call. */
const endedBy = (answer: Answer, isSent: boolean): Ended => {
  if (!("error" in answer)) {
    const isError = "result" in answer && answer.result["isError"] === true
    return { outcome: isError ? "tool-error" : "ok", fate: "answered" }
  }
  const { error } = answer
  const code = isNumber(error.code) ? { code: error.code } : {}
  const { fate, tag } = Failure.isOurs(error) && isRecord(error.data) ? error.data : {}
  const known = fate === "notSent" || fate === "unknown" || fate === "answered" || fate === "rejected"
    ? fate
    : undefined
  return {
    outcome: "error",
    ...code,
    ...(isString(tag) ? { reason: tag } : {}),
    fate: known ?? (!isSent ? "notSent" : Failure.isOurs(error) ? "unknown" : "answered")
  }
}

/** The answer to a call that was carried out, and that could not be recorded. */
const withheld = (method: string, why = "it could not be recorded"): Answer => ({
  error: {
    code: Failure.ourCode,
    message:
      `${method} was carried out, but its answer is withheld, because it could not be recorded: ${why}. Do not repeat it before that is repaired`,
    data: { fate: "answered", tag: "NotRecorded" }
  }
})

const refusedBy = (why: string): Answer => ({
  error: {
    code: Failure.ourCode,
    message: `the call was not sent: ${why}. Tell the user; the operator of the gateway can repair it`,
    data: { fate: "notSent", tag: "NotRecorded" }
  }
})

/** Records the calls of a client. `who`: who calls now. */
export const audited = (audit: Audit | undefined, who: () => AuditClient): Step => (next) => {
  if (audit === undefined) return next
  return (request) => {
    if (!methods.has(request.method)) return next(request)
    const why = audit.refusal()
    if (why !== undefined) return request.answer(refusedBy(why))
    record(audit, request, who())
    next(request)
  }
}

const record = (audit: Audit, request: ClientRequest, client: AuditClient): void => {
  const { method, params, traced } = request
  const call = audit.begin({ door: "mcp", id: request.id, client, method, params })
  request.onSent = call.sent
  request.traced = (given) => {
    const sent = traced?.(given) ?? given
    call.found(request.backend?.id, sent)
    return sent
  }
  request.held = (answer, hand) =>
    call.ended(
      endedBy(answer, call.isSent()),
      (mayAnswer) => hand(mayAnswer ? answer : withheld(method, audit.status().problem))
    )
  request.onOver((error) => {
    if (error === "cancelled") {
      call.ended({ outcome: "cancelled", fate: call.isSent() ? "unknown" : "notSent" }, () => undefined)
    }
  })
}
