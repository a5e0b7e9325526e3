/** A session that is not in memory is restored from its id. */
import { kibibytes } from "@mcp-lifeline/core/text"
import type { Holding, Quota } from "@mcp-lifeline/protocol"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"
import { type Caller, ownerOf } from "./Caller.js"
import { ClientSession, type Options as SessionOptions } from "./ClientSession.js"
import type { Begin, SettingChange } from "./Conversation.js"
import type { EventBudget } from "./EventBudget.js"
import { announcedLists } from "./messages.js"
import { type Place, Places } from "./Places.js"
import { internalError, notTakenHeader, type Refusal } from "./Refusal.js"
import type { Claims, Seal } from "./SealedId.js"
import { SessionRecord } from "./SessionRecord.js"
import * as SessionRecords from "./SessionRecords.js"
import { bytesOf } from "./subscriptionLimits.js"

/** Which sessions live here, where several replicas serve the same ones. Neither function may throw. */
export interface Home {
  /** Which replica this is: new sessions have it in their ids. `undefined` while none may begin or go on here. */
  readonly own: () => string | undefined
  /** `born`: the replica on which it began. */
  readonly isHere: (id: string, born: string | undefined) => boolean
}

export interface Options {
  readonly begin: Begin
  readonly seal: Seal
  readonly records: SessionRecords.SessionRecords
  readonly limits: {
    readonly maxCalls: number
    readonly maxOwnServers: () => number
    readonly maxSessions: number
  }
  readonly budget: EventBudget
  readonly open: Quota
  readonly subscriptions: Quota
  readonly onError: (error: unknown) => void
  readonly home?: Home | undefined
}

/** An unused session leaves the memory after so long, in milliseconds; its id stays valid. */
const idleTime = 24 * 60 * 60 * 1000
/** The same for a session for which servers run. */
export const idleWithServers = 30 * 60 * 1000
/** The shortest time between two writes of the last use, in milliseconds. */
const lastUseWrittenEvery = 24 * 60 * 60 * 1000
/** Longer params of `initialize`, in bytes of JSON, are stored beside the id instead of in it. */
const maxBytesInId = 3000
/** Longer ones are refused: each session keeps its own, in memory and on disk. */
export const maxInitializeBytes = kibibytes(256)

/** Also if the session belongs to another client. */
export const sessionNotFound: Refusal = {
  status: 404,
  code: -32_001,
  message: "Session not found: initialize a new one"
}

const homeless: Refusal = {
  status: 503,
  message: "This replica of the gateway cannot serve the session at the moment; try again",
  headers: { "Retry-After": "1", [notTakenHeader]: "1" }
}

/** While nobody can say whether a session has ended. */
const unknown: Refusal = {
  status: 503,
  message: "The gateway cannot look up the session at the moment, so it has not carried out the request; try again",
  headers: { "Retry-After": "1" }
}

const mark = (owner: string) => owner === "" ? {} : { owner }

const nowInSeconds = (): number => Math.floor(Date.now() / 1000)

interface Beginning {
  readonly place: Place
  hasEnded: boolean
}

type Found = (found: ClientSession | Refusal) => void

interface Entry {
  readonly session: ClientSession
  readonly place: Place
  readonly record: SessionRecord
  /** In seconds since 1970. */
  readonly born: number
}

export class ClientSessions {
  readonly #options: Options
  readonly ownServers: Places
  readonly #places: Places
  readonly #entries = new Map<string, Entry>()
  readonly #resuming = new Map<string, Array<{ readonly caller: Caller; readonly done: Found }>>()
  readonly #beginning = new Map<ClientSession, Beginning>()
  #isClosed = false
  #forgotten = 0

  constructor(options: Options) {
    this.#options = options
    this.ownServers = new Places(options.limits.maxOwnServers, "its servers made room for those of others")
    this.#places = new Places(() => options.limits.maxSessions, "the session made room for others")
  }

  get size(): number {
    return this.#entries.size
  }

  begin(request: JSONRPCRequest, caller: Caller, response: ServerResponse): Refusal | undefined {
    const initialize = request.params ?? {}
    const length = Buffer.byteLength(JSON.stringify(initialize))
    if (length > maxInitializeBytes) {
      const message = `The params of initialize are longer than ${maxInitializeBytes} bytes, the maximum`
      return { status: 413, message, id: request.id, isRead: true }
    }
    if (this.#isHomeless) return { ...homeless, id: request.id, isRead: true }
    const home = this.#options.home?.own()
    const owner = ownerOf(caller)
    if (!this.#places.makeRoom(owner)) return this.#refuseFull(request.id, owner)
    let id: string | undefined
    const beginning: Beginning = { place: this.#placeOf(owner, () => id), hasEnded: false }
    const { place } = beginning
    const session: ClientSession = this.#make(place, caller, {
      onInitialized: (result) => {
        const born = nowInSeconds()
        const claims = { version: session.version, lists: announcedLists(result), owner, born, home }
        const fits = length <= maxBytesInId
        id = this.#options.seal.seal(fits ? { ...claims, initialize } : claims)
        const { records } = this.#options
        const kept = { usedAt: Date.now(), ...mark(owner), ...(fits ? {} : { initialize }) }
        const record = new SessionRecord(records, id, kept)
        // A server may answer a session that has ended meanwhile.
        if (this.#beginning.delete(session)) this.#entries.set(id, { session, place, record, born })
        if (beginning.hasEnded) return { id, saved: record.end(born) }
        return { id, saved: fits ? undefined : records.set(id, kept) }
      },
      onSetting: (change) => this.#saveSetting(id, change)
    })
    this.#places.put(place)
    this.#beginning.set(session, beginning)
    session.initialize(request, response, (id) => {
      if (id !== undefined) return
      // `initialize` was refused.
      this.#leave(place)
      this.#beginning.delete(session)
      void session.close("the session was not begun")
    })
    return undefined
  }

  #placeOf(owner: string, id: () => string | undefined): Place {
    const session = () => this.#entries.get(id() ?? "")?.session
    return { owner, canGo: () => session()?.isBusy === false, end: (why) => this.#unload(id() ?? "", why) }
  }

  #leave(place: Place): void {
    this.#places.leave(place)
    this.ownServers.leave(place)
  }

  get #isHomeless(): boolean {
    const { home } = this.#options
    return home !== undefined && home.own() === undefined
  }

  has(id: string): boolean {
    return this.#entries.has(id)
  }

  /** Decides without reading the disk. */
  mayKnow(id: string, caller: Caller): boolean {
    return (this.#entries.get(id)?.place.owner ?? this.#options.seal.open(id)?.owner) === ownerOf(caller)
  }

  /**
   * Calls `done` at once if the session is in memory, otherwise in the step that restores it, so that nothing ends it before it is used.
   * `done` must not throw.
   */
  find(id: string, caller: Caller, done: Found): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined) return done(this.#isHomeless ? homeless : this.#touch(entry, caller))
    const claims = this.#options.seal.open(id)
    if (claims === undefined || claims.owner !== ownerOf(caller)) return done(sessionNotFound)
    const waiting = this.#resuming.get(id)
    if (waiting !== undefined) return void waiting.push({ caller, done })
    this.#resuming.set(id, [{ caller, done }])
    void this.#resume(id, claims, caller)
  }

  #touch(entry: Entry, caller: Caller): ClientSession | Refusal {
    if (entry.place.owner !== ownerOf(caller)) return sessionNotFound
    entry.session.caller = caller
    this.#places.used(entry.place)
    this.ownServers.used(entry.place)
    entry.session.usedAt = performance.now()
    const now = Date.now()
    if (now - entry.record.usedAt > lastUseWrittenEvery) void entry.record.touch()
    return entry.session
  }

  #saveSetting(id: string | undefined, change: SettingChange): Promise<void> {
    return this.#entries.get(id ?? "")?.record.save(change) ?? Promise.resolve()
  }

  async #resume(id: string, claims: Claims, caller: Caller): Promise<void> {
    let refusal: Refusal | undefined
    const forgotten = this.#forgotten
    try {
      const record = await SessionRecord.load(this.#options.records, id, claims.born, claims.owner)
      // It may have moved while the request or the record was read.
      const isHere = this.#options.home?.isHere(id, claims.home) ?? true
      if (!isHere || forgotten !== this.#forgotten || this.#isClosed) refusal = homeless
      else refusal = record === "unknown" ? unknown : this.#restore(id, claims, record, caller)
    } catch (error) {
      this.#options.onError(error)
      refusal = { status: 500, message: internalError }
    }
    const waiting = this.#resuming.get(id) ?? []
    this.#resuming.delete(id)
    for (const { caller, done } of waiting) {
      const entry = this.#entries.get(id)
      // Whoever waited before may have ended it.
      done(refusal ?? (entry === undefined ? sessionNotFound : this.#touch(entry, caller)))
    }
  }

  #restore(
    id: string,
    claims: Claims,
    kept: SessionRecord | undefined,
    caller: Caller
  ): Refusal | undefined {
    const { lists, owner, version } = claims
    const { records } = this.#options
    const record = kept ?? new SessionRecord(records, id, { usedAt: claims.born * 1000, ...mark(owner) })
    const initialize = claims.initialize ?? record.initialize
    const isOver = Date.now() - Math.max(record.usedAt, claims.born * 1000) > SessionRecords.lifetime
    if (record.hasEnded || initialize === undefined || isOver) return sessionNotFound
    if (!this.#places.makeRoom(owner)) return this.#refuseFull(null, owner)
    const place = this.#placeOf(owner, () => id)
    const subscriptions = this.#roomFor(place)
    const refused = record.settings.subscriptions.filter((uri) => subscriptions.take(bytesOf(uri)) !== undefined)
    record.drop(refused)
    if (refused.length > 0) {
      this.#options.onError(
        new Error(`${refused.length} subscriptions of a session are not restored: there is no room`)
      )
    }
    const session = this.#make(place, caller, {
      onInitialized: () => ({ id }),
      onSetting: (change) => this.#saveSetting(id, change),
      subscriptions,
      resumed: { initialize, settings: record.settings, version, lists }
    })
    this.#places.put(place)
    this.#entries.set(id, { session, place, record, born: claims.born })
    return undefined
  }

  #make(
    place: Place,
    caller: Caller,
    options: Pick<SessionOptions, "onInitialized" | "onSetting" | "resumed" | "subscriptions">
  ): ClientSession {
    const { begin, budget, limits: { maxCalls }, onError, open } = this.#options
    return new ClientSession({
      subscriptions: this.#roomFor(place),
      ...options,
      caller,
      begin,
      maxCalls,
      onError,
      open,
      startsServers: (count) => this.ownServers.take(place, count),
      budget
    })
  }

  #roomFor(place: Place): Holding {
    return this.#options.subscriptions.holderOf(place.owner || place)
  }

  #refuseFull(id: JSONRPCRequest["id"] | null, owner: string): Refusal {
    const { maxSessions } = this.#options.limits
    const { total } = this.#places
    const held = this.#places.heldBy(owner)
    const message = total < maxSessions
      ? `This caller has ${held} sessions, all in use, the maximum while all callers have ${total} of ${maxSessions}: end some, or try again later`
      : `All ${maxSessions} sessions of the gateway are in use; try again later`
    return { status: 503, message, id, headers: { "Retry-After": "5" }, isRead: true }
  }

  #unload(id: string, why: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#leave(entry.place)
    void entry.session.close(why)
  }

  /** Resolves when that is on disk, or cannot be written. */
  end(id: string): Promise<void> {
    const entry = this.#entries.get(id)
    return entry === undefined ? Promise.resolve() : this.#end(id, entry, "the session was ended by its client")
  }

  /** Those in memory, for good. */
  endOf(caller: Caller, why: string): void {
    const owner = ownerOf(caller)
    for (const [id, entry] of [...this.#entries]) if (entry.place.owner === owner) void this.#end(id, entry, why)
    for (const [session, beginning] of this.#beginning) {
      if (beginning.place.owner !== owner) continue
      beginning.hasEnded = true
      this.#leave(beginning.place)
      this.#beginning.delete(session)
      void session.close(why)
    }
  }

  #end(id: string, entry: Entry, why: string): Promise<void> {
    this.#unload(id, why)
    return entry.record.end(entry.born)
  }

  tick(): void {
    const now = performance.now()
    for (const [id, { place, session }] of this.#entries) {
      session.tick(now)
      if (now - session.usedAt < (this.ownServers.has(place) ? idleWithServers : idleTime) || session.isBusy) continue
      this.#unload(id, "the session was unused")
    }
  }

  /** The ids stay valid for the next process. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.forget("the gateway is shutting down")
  }

  /** The ids stay valid, here and elsewhere. */
  async forget(why: string): Promise<void> {
    this.#forgotten++
    const sessions = [...this.#beginning.keys(), ...Array.from(this.#entries.values(), ({ session }) => session)]
    for (const { place } of [...this.#beginning.values(), ...this.#entries.values()]) this.#leave(place)
    this.#entries.clear()
    this.#beginning.clear()
    await Promise.all(sessions.map((session) => session.close(why, true)))
  }
}
