/**
 * What a client can be given whole. Pure.
 */
import { Nesting } from "@mcp-lifeline/core"

/** Whether something is not nested too deeply to be written and read. */
export const isReadable = (value: unknown): boolean => !Nesting.isDeeper(value, Nesting.defaultDepth)
