/** From which the servers of a fleet, or a lone backend, are asked: its clock, its addresses, and what is silent because of it. (R11, V11) */
import { Array as Arr, Effect, Order, Runtime, Schedule, type Scope } from "effect"
import { identity } from "effect/Function"
import { onTick } from "../internal/ClockJump.js"
import { unlessThrown } from "../internal/thrown.js"
import * as Together from "./together.js"

export interface Member {
  /** As of its connector. */
  readonly addresses: (() => string) | undefined
  /** The machine was suspended. */
  readonly jumped: () => void
  /** `undefined` without a connection. */
  readonly seen: () => Together.Server | undefined
  /** A failure is judged. */
  readonly ask: Effect.Effect<unknown>
}

export interface Machine {
  readonly members: Set<Member>
  readonly now: () => number
  /** Until the scope closes. */
  readonly run: (work: Effect.Effect<unknown>) => void
  addresses: string | undefined
  known: Together.Known
}

/** Milliseconds between questions to a canary. */
const pause = 5000

export const make: Effect.Effect<Machine, never, Scope.Scope> = Effect.gen(function*() {
  const [clock, scope, runtime] = [yield* Effect.clock, yield* Effect.scope, yield* Effect.runtime()]
  const self: Machine = {
    members: new Set(),
    now: () => clock.unsafeCurrentTimeMillis(),
    run: (work) => void Runtime.runFork(runtime, Effect.forkIn(Effect.interruptible(work), scope)),
    addresses: undefined,
    known: Together.nothing
  }
  yield* onTick((jumped) => {
    readAddresses(self)
    if (jumped) { for (const member of self.members) member.jumped() }
  })
  return self
})

export const join = ({ members }: Machine, member: Member): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void members.add(member)),
    () => Effect.sync(() => members.delete(member))
  )

const readAddresses = (self: Machine): void => {
  const before = self.addresses
  const read = Array.from(self.members, ({ addresses }) => addresses).find((one) => one !== undefined)
  self.addresses = (read && unlessThrown(read)) ?? before
  if (before === undefined || self.addresses === before) return
  self.known = { ...self.known, movedAt: self.now() }
}

interface Seen {
  readonly member: Member
  readonly server: Together.Server
}

const seen = ({ members }: Machine): ReadonlyArray<Seen> =>
  Array.from(members).flatMap((member) => {
    const server = member.seen()
    return server === undefined ? [] : [{ member, server }]
  })

/** Why a silent server keeps its connection; `undefined`: it is given up now. */
export const rule = (self: Machine, mine: Together.Silent): string | undefined => {
  const before = Together.openHold(self.known, mine)
  const servers = () => seen(self).map(({ server }) => server)
  const [known, why] = Together.rule(self.known, mine, servers, self.members.size, self.now())
  self.known = known
  const hold = Together.openHold(known, mine)
  if (hold !== undefined && hold !== before) self.run(askCanaries(self, mine, hold))
  return why
}

/** One in turn, those first that may not know of it, while the hold is open. Its end makes all silent ones asked. */
const askCanaries = (self: Machine, mine: Together.Silent, hold: Together.Hold): Effect.Effect<unknown> => {
  const isOpen = () => Together.openHold(self.known, mine) === hold
  const review = Effect.suspend(() => {
    if (!isOpen()) return Effect.void
    const all = reached(self, mine)
    self.known = Together.reviewed(self.known, mine, all.map(({ server }) => server), self.now())
    const silent = isOpen() ? [] : all.filter(({ server }) => server.silentSince !== undefined)
    return Effect.forEach(silent, ({ member }) => member.ask, { concurrency: "unbounded" })
  })
  let turn = 0
  const next = Effect.map(review, () => {
    const all = Arr.sortWith(reached(self, mine), ({ server }) => server.silentSince ?? 0, Order.number)
    const canary = all[turn++ % all.length]
    if (canary !== undefined && isOpen()) self.run(Effect.zipRight(canary.member.ask, review))
    return isOpen()
  })
  return Effect.repeat(next, Schedule.addDelay(Schedule.recurWhile<boolean>(identity), () => pause))
}

/** In the same way. */
const reached = (self: Machine, like: Together.Server): ReadonlyArray<Seen> =>
  seen(self).filter(({ server }) => Together.reachOf(server) === Together.reachOf(like))

/** Whether it is this machine, unless one has answered since. */
export const askAnother = (self: Machine, mine: Together.Server): void => {
  const { silentSince } = mine
  if (silentSince === undefined || Together.openHold(self.known, mine) !== undefined) return
  const all = reached(self, mine)
  if (all.some(({ server }) => server.answeredAt > silentSince)) return
  const other = all.find(({ server }) => server.origin !== mine.origin && server.silentSince === undefined)
  if (other !== undefined) self.run(other.member.ask)
}
