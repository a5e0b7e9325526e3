/** What a backend publishes, at one moment. `statusOf` adds the rest of its status. */
import { type Snapshot, visible } from "../catalog/Catalog.js"
import { entries, State } from "../lifecycle/Lifecycle.js"
import type { Event } from "../observe/Event.js"
import type { Policy } from "../options/Policy.js"
import type { ResourceUsage } from "../port/ResourceUsage.js"
import type { Reason } from "../Reasons.js"
import type { Runtime } from "../runtime/Runtime.js"
import * as Health from "./Health.js"
import * as Keepalive from "./Keepalive.js"
import type { Work } from "./Message.js"
import * as Pace from "./Pace.js"
import type { OpenVerdict } from "./Status.js"

export interface LastError {
  readonly message: string
  readonly reason: Reason
  readonly at: number
}

/** Under way, or outliving its attempt. (V5) */
export interface Starting {
  readonly since: number
  readonly outlives: boolean
  readonly verdict: OpenVerdict | undefined
}

export interface Counts {
  readonly connections: number
  readonly errors: number
  readonly abandonedCloses: number
  readonly lastCloseError: string | undefined
  readonly lastAttemptAt: number | undefined
  readonly lastSuccessAt: number | undefined
  readonly pastUptime: number
  /** With `health.enforce: false`, by a verdict. */
  readonly wouldHaveEnded: number
}

export interface Slot {
  readonly state: State
  /** Exactly in Connected. */
  readonly current: Runtime | undefined
  readonly installedAt: number
  /** Of the last runtime installed; 0 before. */
  readonly generation: number
  /** The last good one; nothing if withdrawn. (P2) */
  readonly snapshot: Snapshot | undefined
  readonly revision: number
  /** Older than the server allows, and being read again. */
  readonly expired: boolean
  /** At most one: a report of another one does not count. (L4) */
  readonly work: Work | undefined
  readonly works: number
  readonly nextAttemptAt: number | undefined
  /** When a call may next ask for an attempt in PermanentlyFailed; not without `reconnect.auto`. (R9, R13) */
  readonly demandableFrom: number | undefined
  readonly lastError: LastError | undefined
  /** Without being asked to; until there is a new one. */
  readonly lost: { readonly generation: number; readonly at: number } | undefined
  /** Whose session was lost, and no call has learned of it yet. (C12) */
  readonly lostGeneration: number | undefined
  readonly pace: Pace.Pace
  readonly keepalive: Keepalive.Keepalive
  readonly history: Health.History
  /** On the current connection, until it answers. */
  readonly verdict: OpenVerdict | undefined
  readonly starting: Starting | undefined
  readonly usage: ResourceUsage | undefined
  readonly counts: Counts
  readonly extensions: object
  readonly hasSuccessor: boolean
}

export type EventBody = Event extends infer E ? E extends Event ? Omit<E, "backend" | "at"> : never : never

export const begin = ({ lifecycle: { disabled, lazy } }: Policy, snapshot?: Snapshot): Slot => ({
  state: disabled ? State.Disabled() : lazy ? State.Idle() : State.Connecting({ probe: false }),
  current: undefined,
  installedAt: 0,
  generation: 0,
  snapshot,
  revision: 0,
  expired: false,
  work: undefined,
  works: 0,
  nextAttemptAt: undefined,
  demandableFrom: undefined,
  lastError: undefined,
  lost: undefined,
  lostGeneration: undefined,
  pace: Pace.begin,
  keepalive: Keepalive.begin,
  history: Health.empty,
  verdict: undefined,
  starting: undefined,
  usage: undefined,
  counts: {
    connections: 0,
    errors: 0,
    abandonedCloses: 0,
    lastCloseError: undefined,
    lastAttemptAt: undefined,
    lastSuccessAt: undefined,
    pastUptime: 0,
    wouldHaveEnded: 0
  },
  extensions: {},
  hasSuccessor: false
})

export const shown = (slot: Slot): Slot => {
  const { current, expired, generation, state } = slot
  const snapshot = slot.snapshot && visible(slot.snapshot, {
    withdrawn: entries[state._tag].catalog === "withdrawn",
    expired,
    connectedGeneration: current === undefined ? undefined : generation
  })
  return snapshot === slot.snapshot ? slot : { ...slot, snapshot }
}

export const isStable = (
  { current, installedAt }: Slot,
  now: number,
  { reconnect: { stableAfter } }: Policy
): boolean => current !== undefined && now - installedAt >= stableAfter

export const counted = (slot: Slot, counts: Partial<Counts>): Slot => ({
  ...slot,
  counts: { ...slot.counts, ...counts }
})

export const kept = (slot: Slot, keepalive: Partial<Keepalive.Keepalive>): Slot => ({
  ...slot,
  keepalive: { ...slot.keepalive, ...keepalive }
})

/** `before`: the verdict that it follows. */
export const counting = (
  slot: Slot,
  verdict: OpenVerdict | undefined,
  before: OpenVerdict | undefined,
  { health: { enforce } }: Policy
): Slot =>
  enforce || verdict?.kind !== "wedged" || before?.kind === "wedged"
    ? slot
    : counted(slot, { wouldHaveEnded: slot.counts.wouldHaveEnded + 1 })

/** The first counts: callers know what they built there. Not for a session that was asked to end. */
export const sessionLost = (slot: Slot, generation: number, { calls: { afterSessionLoss } }: Policy): Slot =>
  afterSessionLoss === "fail" ? { ...slot, lostGeneration: slot.lostGeneration ?? generation } : slot

export const eventsBetween = (before: Slot, after: Slot, policy: Policy): ReadonlyArray<EventBody> => {
  const { current, generation, keepalive, snapshot } = after
  const events: Array<EventBody> = []
  if (after.state._tag !== before.state._tag) {
    events.push({ _tag: "StateChanged", from: before.state._tag, to: after.state._tag, generation })
  }
  if (snapshot !== before.snapshot) {
    const { revision, stale } = snapshot ?? { revision: undefined, stale: true }
    events.push({ _tag: "CatalogChanged", generation, revision, stale })
  }
  const isAnother = current !== undefined && current !== before.current && !keepalive.paused
  const { breaker, paused } = before.keepalive
  if (isAnother || keepalive.breaker !== breaker || keepalive.paused !== paused) {
    const { reason, reprobeAt: nextProbeAt, state } = Keepalive.statusOf(policy, keepalive, current?.connection)
    events.push({ _tag: "KeepaliveChanged", generation, state, reason, nextProbeAt })
  }
  const { enforce: enforced } = policy.health
  for (
    const [earlier, verdict, of] of [
      [before.verdict, after.verdict, generation],
      [before.starting?.verdict, after.starting?.verdict, generation + 1]
    ] as const
  ) {
    if (verdict === undefined || verdict.kind === earlier?.kind) continue
    const { kind, reason } = verdict
    events.push({ _tag: "Judged", generation: of, kind, reason, enforced })
  }
  return events
}
