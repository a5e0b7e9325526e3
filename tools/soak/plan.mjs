/**
 * Which fault happens when, at which door: a function of the seed and of nothing else. A door's faults are the same whichever other doors
 * take part, and those of a longer run begin with those of a shorter one.
 */
import { Hash } from "effect"
import { PCGRandom } from "effect/Utils"
import { doorOf } from "./doors.mjs"

/** @typedef {import("./doors.mjs").DoorName} DoorName */
/** @typedef {import("./doors.mjs").Kind} Kind */
/**
 * `at` is in milliseconds of the soak, `millis` how long it lasts; `target` is a server or client of the door, or the number of a replica;
 * `point` is where in a call the server exits.
 *
 * @typedef {{ readonly at: number, readonly door: DoorName, readonly target: string, readonly kind: Kind, readonly millis: number, readonly point: string }} Fault
 */
/** @typedef {{ readonly seed: number, readonly seconds: number, readonly doors: ReadonlyArray<DoorName> }} Course */

/** Random numbers for one purpose, from the seed. @param {number} seed @param {string} purpose */
export const random = (seed, purpose) => new PCGRandom(Hash.string(`${seed} ${purpose}`) >>> 0)

/** @template A @param {PCGRandom} from @param {ReadonlyArray<A>} values @returns {A} */
export const pick = (from, values) => /** @type {A} */ (values[from.integer(values.length)])

const points = ["received", "applied", "answered"]

/** Nothing happens at first, so that every door is seen to work. */
const quiet = 1000

/**
 * How far apart what happens to replicas is: if all that could say so are gone within the time of a lease, nobody knows that a replica has died,
 * and others wait for ten minutes before they start its servers.
 */
const apart = 15_000

/** What can happen at a door, in a fixed order. @param {DoorName} name */
const choices = (name) => {
  const { clients, replicas = [], servers } = doorOf(name)
  return [
    ...Object.entries(servers).map(([target, kinds]) => ({ target, kinds })),
    ...Object.entries(clients).map(([target, { faults }]) => ({ target, kinds: faults })),
    ...replicas.length === 0 ? [] : ["0", "1", "2"].map((target) => ({ target, kinds: replicas }))
  ]
}

/** @param {Course} course @param {DoorName} door @returns {Array<Fault>} */
const atDoor = ({ seconds, seed }, door) => {
  const from = random(seed, door)
  const possible = choices(door)
  /** @type {Array<Fault>} */
  const faults = []
  for (let [at, last] = [quiet, -apart];;) {
    at += 300 + from.integer(1700)
    if (at >= seconds * 1000) return faults
    const { kinds, target } = pick(from, possible)
    // Each fault takes the same number of draws, whatever it is.
    const [kind, millis, point] = [pick(from, kinds), 200 + from.integer(3800), pick(from, points)]
    if (doorOf(door).replicas?.includes(kind) === true) {
      if (at - last < apart) continue
      last = at
    }
    faults.push({ at, door, target, kind, millis, point })
  }
}

/** The faults of a run, in the order of their times. @param {Course} course @returns {Array<Fault>} */
export const plan = (course) =>
  course.doors.flatMap((door) => atDoor(course, door)).toSorted((a, b) => a.at - b.at || a.door.localeCompare(b.door))
