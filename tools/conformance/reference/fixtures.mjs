/**
 * What the server scenarios of the suite ask of every server, in either era of the protocol: tools, prompts and resources by the
 * names that the scenarios use. Their descriptions in the suite say what each of them gives.
 */
import { setTimeout } from "node:timers/promises"

/** What a call may do beside giving its result. */
/**
 * @typedef {{
 *   readonly log: (text: string) => Promise<void>,
 *   readonly progress: (progress: number, total: number) => Promise<void>,
 *   readonly ask: (method: string, params: Record<string, unknown>) => Promise<any>,
 *   readonly cut: () => void
 * }} Context
 */

/** @typedef {{ readonly definition: any, readonly call: (given: any, context: Context) => any }} Tool */

/** One red pixel. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
/** A sound without samples. */
const wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="

const image = { type: "image", data: png, mimeType: "image/png" }
const audio = { type: "audio", data: wav, mimeType: "audio/wav" }

/** @param {string} text */
export const said = (text) => ({ content: [{ type: "text", text }] })

/** @param {Record<string, unknown>} properties */
const object = (properties, required = Object.keys(properties)) => ({ type: "object", properties, required })

/** @param {string} name @param {string} description @param {Tool["call"]} call @returns {Tool} */
export const tool = (
  name,
  description,
  call,
  inputSchema = /** @type {any} */ ({ type: "object", properties: {} })
) => ({
  definition: { name, description, inputSchema },
  call
})

/** Asks the person by a form, and says what came. @param {Context} context @param {string} message @param {any} requestedSchema */
const elicited = async ({ ask }, message, requestedSchema) => {
  const { action, content } = await ask("elicitation/create", { message, requestedSchema })
  return said(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`)
}

const titled = [
  { const: "value1", title: "First Option" },
  { const: "value2", title: "Second Option" },
  { const: "value3", title: "Third Option" }
]
const plain = ["option1", "option2", "option3"]

/** What every server of the suite has. @type {ReadonlyArray<Tool>} */
export const tools = [
  tool("test_simple_text", "Gives a text", () => said("This is a simple text response for testing.")),
  tool("test_image_content", "Gives an image", () => ({ content: [image] })),
  tool("test_audio_content", "Gives a sound", () => ({ content: [audio] })),
  tool("test_embedded_resource", "Gives a resource", () => ({
    content: [{
      type: "resource",
      resource: {
        uri: "test://embedded-resource",
        mimeType: "text/plain",
        text: "This is an embedded resource content."
      }
    }]
  })),
  tool("test_multiple_content_types", "Gives a text, an image and a resource", () => ({
    content: [
      { type: "text", text: "Multiple content types test:" },
      image,
      {
        type: "resource",
        resource: {
          uri: "test://mixed-content-resource",
          mimeType: "application/json",
          text: JSON.stringify({ test: "data", value: 123 })
        }
      }
    ]
  })),
  tool("test_error_handling", "Always fails", () => ({
    ...said("This tool intentionally returns an error for testing"),
    isError: true
  })),
  tool("test_tool_with_logging", "Logs as it goes", async (_, { log }) => {
    await log("Tool execution started")
    await setTimeout(50)
    await log("Tool processing data")
    await setTimeout(50)
    await log("Tool execution completed")
    return said("Logged three times")
  }),
  tool("test_tool_with_progress", "Says how far it is", async (_, { progress }) => {
    await progress(0, 100)
    await setTimeout(50)
    await progress(50, 100)
    await setTimeout(50)
    await progress(100, 100)
    return said("Done")
  }),
  tool("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", () => said("Taken"), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: {
        $anchor: "addressDef",
        type: "object",
        properties: { street: { type: "string" }, city: { type: "string" } }
      }
    },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" }
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    // oxlint-disable-next-line no-thenable -- a keyword of JSON Schema
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false
  })
]

/** What a server with sessions has beside: it asks its client during a call. @type {ReadonlyArray<Tool>} */
export const askingTools = [
  tool("test_sampling", "Asks a model", async ({ prompt }, { ask }) => {
    const { content } = await ask("sampling/createMessage", {
      messages: [{ role: "user", content: { type: "text", text: prompt } }],
      maxTokens: 100
    })
    return said(`LLM response: ${content.text}`)
  }, object({ prompt: { type: "string" } })),
  tool("test_elicitation", "Asks the person", async ({ message }, { ask }) => {
    const answer = await ask("elicitation/create", {
      message,
      requestedSchema: object({
        username: { type: "string", description: "User's response" },
        email: { type: "string", description: "User's email address" }
      })
    })
    return said(`User response: action: ${answer.action}, content: ${JSON.stringify(answer.content ?? {})}`)
  }, object({ message: { type: "string" } })),
  tool("test_elicitation_sep1034_defaults", "Asks by a form with defaults", (_, context) =>
    elicited(
      context,
      "Please look over what is filled in",
      object({
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true }
      }, [])
    )),
  tool("test_elicitation_sep1330_enums", "Asks by a form with choices", (_, context) =>
    elicited(
      context,
      "Please choose",
      object({
        untitledSingle: { type: "string", enum: plain },
        titledSingle: { type: "string", oneOf: titled },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"]
        },
        untitledMulti: { type: "array", items: { type: "string", enum: plain } },
        titledMulti: { type: "array", items: { anyOf: titled } }
      }, [])
    )),
  tool("test_reconnection", "Cuts the stream of its call before it answers", async (_, { cut }) => {
    await setTimeout(50)
    cut()
    await setTimeout(50)
    return said("Answered after the stream was cut")
  })
]

const text = {
  uri: "test://static-text",
  mimeType: "text/plain",
  text: "This is the content of the static text resource."
}

/** @type {Readonly<Record<string, { readonly definition: any, readonly content: any }>>} */
const known = {
  [text.uri]: {
    definition: { uri: text.uri, name: "text", description: "A text", mimeType: text.mimeType },
    content: text
  },
  "test://static-binary": {
    definition: { uri: "test://static-binary", name: "binary", description: "An image", mimeType: "image/png" },
    content: { uri: "test://static-binary", mimeType: "image/png", blob: png }
  },
  "test://watched-resource": {
    definition: {
      uri: "test://watched-resource",
      name: "watched",
      description: "May be watched",
      mimeType: "text/plain"
    },
    content: { uri: "test://watched-resource", mimeType: "text/plain", text: "Watch me" }
  }
}

export const resources = {
  list: Object.values(known).map(({ definition }) => definition),
  templates: [{
    uriTemplate: "test://template/{id}/data",
    name: "template",
    description: "Data by its id",
    mimeType: "application/json"
  }],
  /** What a resource holds, if there is one. @param {string} uri */
  read: (uri) => {
    const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? []
    const data = { id, templateTest: true, data: `Data for ID: ${id}` }
    const content = id === undefined
      ? known[uri]?.content
      : { uri, mimeType: "application/json", text: JSON.stringify(data) }
    return content === undefined ? undefined : { contents: [content] }
  }
}

/** @param {any} content */
const user = (content) => ({ role: "user", content })

/** @type {Readonly<Record<string, { readonly definition: any, readonly get: (given: any) => any }>>} */
export const prompts = {
  test_simple_prompt: {
    definition: { description: "A prompt without arguments" },
    get: () => ({ messages: [user({ type: "text", text: "This is a simple prompt for testing." })] })
  },
  test_prompt_with_arguments: {
    definition: {
      description: "A prompt with arguments",
      arguments: [
        { name: "arg1", description: "First test argument", required: true },
        { name: "arg2", description: "Second test argument", required: true }
      ]
    },
    get: ({ arg1, arg2 }) => ({
      messages: [user({ type: "text", text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` })]
    })
  },
  test_prompt_with_embedded_resource: {
    definition: {
      description: "A prompt with a resource in it",
      arguments: [{ name: "resourceUri", description: "URI of the resource to embed", required: true }]
    },
    get: ({ resourceUri: uri }) => ({
      messages: [
        user({
          type: "resource",
          resource: { uri, mimeType: "text/plain", text: "Embedded resource content for testing." }
        }),
        user({ type: "text", text: "Please process the embedded resource above." })
      ]
    })
  },
  test_prompt_with_image: {
    definition: { description: "A prompt with an image in it" },
    get: () => ({
      messages: [user(image), user({ type: "text", text: "Please analyze the image above." })]
    })
  }
}

/** What may be typed next. */
export const completion = { completion: { values: ["paris", "park", "party"], total: 150, hasMore: false } }
