/** Applies `access/Access` to one client: to each request, by the rules as they are then. */
import { anyone, type Caller, ownerOf } from "@mcp-lifeline/http-server/Caller"
import type { Client } from "@mcp-lifeline/http-server/Conversation"
import type { Seal } from "@mcp-lifeline/http-server/SealedId"
import type { Answer, ClientRequest } from "@mcp-lifeline/protocol"
import type { Access } from "../access/Access.js"
import type { AccessControl } from "../access/AccessControl.js"
import type { CallRates } from "../access/CallRates.js"
import * as RateLimited from "../access/RateLimited.js"
import type { Owner } from "./OwnedTexts.js"
import * as RequestStates from "./RequestStates.js"
import { type Task, TaskIds } from "./TaskIds.js"

export interface Control {
  readonly rules: AccessControl
  readonly rates: CallRates
  /** Marks what belongs to a caller. */
  readonly seal: Pick<Seal, "isMark" | "mark">
}

const sender = Symbol("sender")

type Sent = ClientRequest & { [sender]?: Caller }

export class ClientAccess {
  readonly #control: Control
  /** As its last request has said who it is. */
  readonly caller: () => Caller
  #noted: Access | undefined
  #taskIds: TaskIds | undefined
  #requestStates: RequestStates.RequestStates | undefined

  constructor(control: Control, { caller = () => anyone }: Pick<Client, "caller">) {
    this.#control = control
    this.caller = caller
  }

  /** For what no request has asked for. */
  get now(): Access {
    return this.#control.rules.of(this.caller())
  }

  /** To be called when a request arrives: a later one of the same session may come with a newer token, which says something else. */
  arrived(request: Sent): void {
    request[sender] = this.caller()
  }

  senderOf(request: Sent): Caller {
    return request[sender] ?? this.caller()
  }

  /** By the rules as they are now. */
  of(request: ClientRequest): Access {
    return this.#control.rules.of(this.senderOf(request))
  }

  /** A conversation belongs to one caller, so they stay. */
  get taskIds(): TaskIds {
    return this.#taskIds ??= new TaskIds(this.#owner)
  }

  get requestStates(): RequestStates.RequestStates {
    return this.#requestStates ??= RequestStates.make(this.#owner)
  }

  get #owner(): Owner {
    return { owner: ownerOf(this.caller()), seal: this.#control.seal }
  }

  /** The sender may have begun the task when the rules were others. */
  mayUse(request: ClientRequest, { server, tool }: Pick<Task, "server" | "tool">): boolean {
    const { hasServer, hasTool } = this.of(request)
    return hasServer(server) && hasTool(server, tool)
  }

  /** Returns what was noted before, if that was something else. */
  note(): Access | undefined {
    const before = this.#noted
    const now = this.now
    this.#noted = now
    return before === now ? undefined : before
  }

  /** The answer to a call that would be one too many. */
  limit(request: ClientRequest): Answer | undefined {
    const { method } = request
    const { callsPerMinute } = this.of(request)
    if (callsPerMinute === undefined || !RateLimited.isCall(method)) return undefined
    const retryAfter = this.#control.rates.take(this.senderOf(request).subject, callsPerMinute)
    return retryAfter > 0 ? RateLimited.answer(method, callsPerMinute, retryAfter) : undefined
  }
}
