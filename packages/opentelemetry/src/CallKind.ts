/** Kept, because making the attributes of a call takes longer than recording them. */
import type { Method } from "@mcp-lifeline/core"
import type { BoundedNames } from "./BoundedNames.js"
import type { Attributes, Meter, Series } from "./Meter.js"
import * as Names from "./Names.js"

const { attribute } = Names

/** For one backend. */
const kindsAtMost = 1000
/** Nothing is kept of a longer name: clients may call a tool that no server has. */
const longestTarget = 1024

interface Backend {
  readonly meter: Meter
  readonly id: string
  readonly transport: string
  readonly names: BoundedNames
}

export interface Failed {
  readonly type: string
  readonly message: string
  readonly status?: string | undefined
}

/** Calls of one method to one tool or prompt, or to none. */
export class CallKind {
  /** For spans. */
  readonly attributes: Attributes
  readonly #meter: Meter
  readonly #names: BoundedNames
  #protocol: string | undefined
  #answered: Series | undefined

  constructor({ id, meter, names, transport }: Backend, method: Method, target: string | undefined) {
    this.#meter = meter
    this.#names = names
    this.attributes = {
      [attribute.method]: method,
      [attribute.tool]: method === "tools/call" ? target : undefined,
      [attribute.prompt]: method === "prompts/get" ? target : undefined,
      [attribute.operation]: method === "tools/call" ? "execute_tool" : undefined,
      [attribute.transport]: Names.networkTransport(transport),
      [attribute.backend]: id
    }
  }

  /** `protocol`: known once a request was sent. */
  record(seconds: number, protocol: string | undefined, failed: Failed | undefined): void {
    if (failed !== undefined) {
      return this.#meter.record(Names.operationDuration, seconds, {
        ...this.#measured(protocol),
        [attribute.error]: failed.type,
        [attribute.status]: failed.status
      })
    }
    if (this.#answered === undefined || this.#protocol !== protocol) {
      this.#protocol = protocol
      this.#answered = this.#meter.series(Names.operationDuration, this.#measured(protocol))
    }
    this.#answered(seconds)
  }

  #measured(protocol: string | undefined): Attributes {
    return {
      ...this.attributes,
      [attribute.tool]: this.#bounded(attribute.tool),
      [attribute.prompt]: this.#bounded(attribute.prompt),
      [attribute.protocol]: protocol
    }
  }

  #bounded(key: typeof attribute.tool | typeof attribute.prompt): string | undefined {
    const name = this.attributes[key]
    return typeof name === "string" ? this.#names.of(name) : undefined
  }
}

export class CallKinds {
  readonly #backend: Backend
  readonly #kinds = new Map<string, Map<string | undefined, CallKind>>()
  #size = 0

  constructor(backend: Backend) {
    this.#backend = backend
  }

  of(method: Method, target: string | undefined): CallKind {
    const found = this.#kinds.get(method)?.get(target)
    if (found !== undefined) return found
    const made = new CallKind(this.#backend, method, target)
    if ((target?.length ?? 0) > longestTarget || this.#size++ >= kindsAtMost) return made
    const ofMethod = this.#kinds.get(method) ?? new Map<string | undefined, CallKind>()
    this.#kinds.set(method, ofMethod.set(target, made))
    return made
  }
}
