/**
 * Listeners of AbortSignals. All calls that share a signal share one listener on it, which is removed after the last of them: Node warns of
 * a leak as soon as a signal has eleven.
 *
 * This is a Map, and not a WeakMap, with which a call with a signal would cost twice as much: each caller of `add` calls `remove`.
 */
const listeners = new Map<EventTarget, (() => void) | Set<() => void>>()

const abort = ({ target }: Event): void => {
  const aborted = target === null ? undefined : listeners.get(target)
  if (target === null || aborted === undefined) return
  forget(target)
  if (typeof aborted === "function") return aborted()
  for (const listener of aborted) listener()
}

const forget = (signal: EventTarget): void => {
  listeners.delete(signal)
  signal.removeEventListener("abort", abort)
}

/** Calls the listener when the signal is aborted. The signal must not be aborted yet. */
export const add = (signal: AbortSignal, listener: () => void): void => {
  const existing = listeners.get(signal)
  if (existing === undefined) {
    listeners.set(signal, listener)
    signal.addEventListener("abort", abort)
  } else if (typeof existing === "function") listeners.set(signal, new Set([existing, listener]))
  else existing.add(listener)
}

/** Removes a listener. */
export const remove = (signal: AbortSignal, listener: () => void): void => {
  const existing = listeners.get(signal)
  if (existing === listener) forget(signal)
  else if (existing instanceof Set && existing.delete(listener) && existing.size === 0) forget(signal)
}
