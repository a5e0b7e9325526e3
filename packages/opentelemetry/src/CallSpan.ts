/**
 * The trace of one call: its span, and a child span for each request that Lifeline sends for it.
 */
import type { Method, Params, RequestError, Telemetry } from "@mcp-lifeline/core"
import { Cause, Exit, Option, type Tracer } from "effect"
import type { CallKind, CallKinds, Failed } from "./CallKind.js"
import type { Series } from "./Meter.js"
import * as Names from "./Names.js"
import * as Spans from "./Spans.js"
import { inject } from "./TraceContext.js"

const { attribute } = Names

/** Of names and messages from callers or servers. */
const textAtMost = 256

type On<M extends Method> = Parameters<Telemetry.CallObserver<M>["attempt"]>[0]

export interface Host {
  readonly backend: Telemetry.Observed
  readonly spans: Spans.Spans
  readonly kinds: CallKinds
  /** For calls in flight. */
  readonly active: Series
  /** Spans of calls that wait for a connection. */
  readonly waiting: Set<Tracer.Span>
  /** The attempt that made the current generation. */
  readonly installed: { readonly generation: number; readonly span: Tracer.Span } | undefined
}

export class CallSpan<M extends Method> implements Telemetry.CallObserver<M> {
  readonly #host: Host
  readonly #params: Params<M>
  /** None if spans are not recorded. */
  readonly #span: Tracer.Span | undefined
  readonly #startedAt: bigint
  readonly #kind: CallKind
  #protocol: string | undefined
  #attempts = 0
  /** The generation that the call found at its start, or to whose attempt its span is already linked. */
  #known: number | undefined

  constructor(host: Host, method: M, params: Params<M>, parent: Tracer.AnySpan | undefined) {
    const { active, backend, kinds, spans } = host
    this.#host = host
    this.#params = params
    this.#startedAt = Spans.now(backend.clock)
    this.#known = host.installed?.generation
    const target = targetOf(method, params)
    this.#kind = kinds.of(method, target)
    active(1)
    if (spans === Spans.none) return
    this.#span = Spans.open(spans, {
      name: target === undefined ? method : `${method} ${target}`,
      kind: "client",
      parent,
      attributes: this.#kind.attributes,
      at: this.#startedAt
    })
    host.waiting.add(this.#span)
  }

  attempt({ connection, generation }: On<M>): Telemetry.AttemptObserver<M> | undefined {
    this.#protocol = connection.protocolVersion
    const call = this.#span
    if (call === undefined) return undefined
    const { backend, installed, spans, waiting } = this.#host
    const about = {
      [attribute.session]: connection.sessionId?.slice(0, Names.sessionIdShown),
      [attribute.protocol]: connection.protocolVersion,
      [attribute.generation]: generation
    }
    waiting.delete(call)
    Spans.annotate(call, about)
    this.#linkTo(call, generation, installed)
    const span = Spans.open(spans, {
      name: "lifeline.attempt",
      kind: "client",
      parent: call,
      attributes: { ...about, [attribute.attempt]: ++this.#attempts, [attribute.backend]: backend.id },
      at: Spans.now(backend.clock)
    })
    return {
      params: inject(this.#params, span, spans.tracestate?.(span)),
      span,
      end: (exit) => {
        if (Exit.isFailure(exit)) waiting.add(call)
        endAttempt(span, Spans.now(backend.clock), exit)
      }
    }
  }

  end(exit: Exit.Exit<unknown, { readonly _tag: string; readonly message: string }>): void {
    const { active, backend, waiting } = this.#host
    const at = Spans.now(backend.clock)
    const failure = failureOf(exit)
    if (this.#span !== undefined) {
      waiting.delete(this.#span)
      Spans.annotate(this.#span, { [attribute.error]: failure?.type, [attribute.status]: failure?.status })
      if (failure === undefined || failure.type === cancelled) this.#span.end(at, exit)
      else Spans.endFailed(this.#span, at, failure.type, failure.message.slice(0, textAtMost))
    }
    active(-1)
    this.#kind.record(Number(at - this.#startedAt) / 1e9, this.#protocol, failure)
  }

  /** For a generation for which this call has waited. */
  #linkTo(call: Tracer.Span, generation: number, installed: Host["installed"]): void {
    if (installed?.generation !== generation || this.#known === generation) return
    this.#known = generation
    Spans.link(call, installed.span)
  }
}

const cancelled = "cancelled"

const endAttempt = (span: Tracer.Span, at: bigint, exit: Exit.Exit<unknown, RequestError>): void => {
  if (Exit.isSuccess(exit)) {
    span.attribute(attribute.outcome, "answered")
    return span.end(at, exit)
  }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (error === undefined) {
    const type = Cause.isInterruptedOnly(exit.cause) ? cancelled : "defect"
    Spans.annotate(span, { [attribute.outcome]: type, [attribute.error]: type })
    return type === cancelled ? span.end(at, exit) : Spans.endFailed(span, at, type, "the connector failed")
  }
  Spans.annotate(span, {
    [attribute.outcome]: error.fate,
    [attribute.error]: error.reason === "remote" && error.code !== undefined ? String(error.code) : error.reason
  })
  Spans.endFailed(span, at, error.reason, error.message.slice(0, textAtMost))
}

/** The `error.type` of a failed call: a JSON-RPC code, `tool_error`, `cancelled`, or the tag of an error. */
const failureOf = (
  exit: Exit.Exit<unknown, { readonly _tag: string; readonly message: string; readonly code?: unknown }>
): Failed | undefined => {
  if (Exit.isSuccess(exit)) {
    const { value } = exit
    return typeof value === "object" && value !== null && "isError" in value && value.isError === true
      ? { type: "tool_error", message: "the tool answered with an error" }
      : undefined
  }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (error === undefined) {
    return Cause.isInterruptedOnly(exit.cause)
      ? { type: cancelled, message: "" }
      : { type: "defect", message: "the call died" }
  }
  const status = error._tag === "RemoteError" && typeof error.code === "number" ? String(error.code) : undefined
  return { type: status ?? error._tag, message: error.message, status }
}

const targetOf = (method: Method, params: unknown): string | undefined => {
  if (method !== "tools/call" && method !== "prompts/get") return undefined
  if (typeof params !== "object" || params === null || !("name" in params)) return undefined
  return typeof params.name === "string" ? params.name.slice(0, textAtMost) : undefined
}
