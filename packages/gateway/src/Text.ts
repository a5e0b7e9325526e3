/**
 * Texts for people. Pure.
 */
import { stripVTControlCharacters } from "node:util"

/** Text from outside in one line that controls no terminal. */
export const clean = (text: string): string => stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim()

/** `12:03:04`, in the local time of the machine. */
export const time = (millis: number): string => {
  const date = new Date(millis)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")
}
