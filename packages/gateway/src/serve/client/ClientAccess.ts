/**
 * What one client may use, which may change with each of its requests, and with the rules.
 */
import { anyone, type Caller, ownerOf } from "@mcp-lifeline/http-server/Caller"
import type { Client } from "@mcp-lifeline/http-server/Conversation"
import type { Seal } from "@mcp-lifeline/http-server/SealedId"
import type { Answer } from "@mcp-lifeline/protocol"
import type { Access } from "../../access/Access.js"
import type { AccessControl } from "../../access/AccessControl.js"
import type { CallRates } from "../../access/CallRates.js"
import * as RateLimited from "../../access/RateLimited.js"
import type { Owner } from "./Owned.js"
import * as RequestStates from "./RequestStates.js"
import { type Task, TaskIds } from "./TaskIds.js"

/** What decides about all clients. */
export interface Control {
  readonly rules: AccessControl
  readonly rates: CallRates
  /** Marks what belongs to a caller. */
  readonly seal: Pick<Seal, "isMark" | "mark">
}

export class ClientAccess {
  readonly #control: Control
  readonly #caller: () => Caller
  #noted: Access | undefined
  #taskIds: TaskIds | undefined
  #requestStates: RequestStates.RequestStates | undefined

  constructor(control: Control, { caller = () => anyone }: Pick<Client, "caller">) {
    this.#control = control
    this.#caller = caller
  }

  /** What it may use now. */
  get now(): Access {
    return this.#control.rules.of(this.#caller())
  }

  /** The ids of its tasks. A conversation belongs to one caller, so they stay. */
  get taskIds(): TaskIds {
    return this.#taskIds ??= new TaskIds(this.#owner)
  }

  /** The states of its requests, likewise. */
  get requestStates(): RequestStates.RequestStates {
    return this.#requestStates ??= RequestStates.make(this.#owner)
  }

  get #owner(): Owner {
    return { owner: ownerOf(this.#caller()), seal: this.#control.seal }
  }

  /** Whether it may use the tool of a task, which it may have begun when the rules were others. */
  mayUse({ server, tool }: Pick<Task, "server" | "tool">): boolean {
    return this.now.hasServer(server) && this.now.hasTool(server, tool)
  }

  /** Notes what it may use now. Returns what was noted before, if that was something else. */
  note(): Access | undefined {
    const before = this.#noted
    const now = this.now
    this.#noted = now
    return before === now ? undefined : before
  }

  /** The answer to a call that would be one too many; `undefined` if it may be made, and then it counts. */
  limit(method: string): Answer | undefined {
    const { callsPerMinute } = this.now
    if (callsPerMinute === undefined || !RateLimited.isCall(method)) return undefined
    const retryAfter = this.#control.rates.take(this.#caller().subject, callsPerMinute)
    return retryAfter === 0 ? undefined : RateLimited.answer(method, callsPerMinute, retryAfter)
  }
}
