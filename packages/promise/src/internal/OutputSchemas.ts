/**
 * Structured results held to the schemas that their tools announced, as the official Client does after `listTools`.
 */
import type { CallToolResult, Tool } from "@modelcontextprotocol/sdk/types.js"
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv"
import type { JsonSchemaType, JsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/types.js"
import { RemoteError } from "../Errors.js"

/** The output schemas of the tools that were last listed. */
export class OutputSchemas {
  readonly #schemas = new Map<string, { readonly schema: JsonSchemaType; check?: JsonSchemaValidator<unknown> }>()
  readonly #backend: string
  #ajv: AjvJsonSchemaValidator | undefined

  constructor(backend: string) {
    this.#backend = backend
  }

  get empty(): boolean {
    return this.#schemas.size === 0
  }

  /** Takes the schemas of a listing in place of those of the last. */
  learn(tools: ReadonlyArray<Tool>): void {
    this.#schemas.clear()
    for (const { name, outputSchema } of tools) {
      if (outputSchema !== undefined) this.#schemas.set(name, { schema: outputSchema as JsonSchemaType })
    }
  }

  /** The result, or an error with the official Client's code. */
  check(tool: string, result: CallToolResult): CallToolResult {
    const known = this.#schemas.get(tool)
    if (known === undefined) return result
    if (result.structuredContent === undefined) {
      if (result.isError === true) return result
      throw this.#error(ErrorCode.InvalidRequest, `${tool} has an output schema but gave no structured content`)
    }
    try {
      this.#ajv ??= new AjvJsonSchemaValidator()
      known.check ??= this.#ajv.getValidator(known.schema)
    } catch (cause) {
      throw this.#error(ErrorCode.InvalidParams, `the output schema of ${tool} cannot be compiled`, cause)
    }
    const checked = known.check(result.structuredContent)
    if (checked.valid) return result
    throw this.#error(
      ErrorCode.InvalidParams,
      `the structured content of ${tool} does not match its output schema: ${checked.errorMessage}`
    )
  }

  #error(code: number, message: string, cause?: unknown): RemoteError {
    return new RemoteError({
      backend: this.#backend,
      method: "tools/call",
      code,
      message: `${this.#backend}: ${message}`,
      cause
    })
  }
}
