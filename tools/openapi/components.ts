import * as z from 'zod'
import type { Json } from './json.ts'

/**
 * Converts named schemas to components that refer to each other by name.
 *
 * They are open: a field may be added to an answer, and decoders that are made from a closed schema (those of
 * swift-openapi-generator) refuse the whole answer then.
 */
export function toComponents(schemas: Record<string, z.ZodType>): Record<string, Json> {
  const registry = z.registry<{ id: string }>()
  for (const [name, schema] of Object.entries(schemas)) registry.add(schema, { id: name })
  const { schemas: converted } = z.toJSONSchema(registry, {
    target: 'draft-2020-12',
    io: 'output',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
    uri: (name) => `#/components/schemas/${name}`,
  })
  return Object.fromEntries(
    Object.entries(converted).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [name, schema as Json]),
  )
}
