/** Builds the OpenAPI document from the routes and the prose about them. */
import { accessTokenSeconds } from '../../src/config/policy.ts'
import { inMinutes } from './limits.ts'
import { version } from '../../src/version.ts'
import { answerComponents } from './answers.ts'
import { headerComponents } from './headers.ts'
import { description, summary, tags } from './introduction.ts'
import type { Json } from './json.ts'
import { describeOperation } from './operation.ts'
import { operations } from './operations.ts'
import { ProblemResponses, problemComponents } from './problems.ts'
import type { Prose } from './prose.ts'
import { type Route, readRoutes } from './routes.ts'

/** @throws {Error} when a route has no prose, or prose has no route. */
export function describeService(): Json {
  const problemResponses = new ProblemResponses()
  const paths: Record<string, Record<string, Json>> = {}
  for (const [route, prose] of describedRoutes()) {
    const item = (paths[route.path] ??= route.isStaticFile
      ? {}
      : { parameters: [{ $ref: '#/components/parameters/RequestId' }] })
    item[route.method.toLowerCase()] = describeOperation(route, prose, problemResponses)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Postern', version, summary, description, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'The origin from which this document was loaded.' }],
    tags,
    paths,
    components: {
      securitySchemes: { bearer },
      parameters: { RequestId: requestId },
      headers: headerComponents(),
      responses: problemResponses.components(),
      schemas: { ...answerComponents(), ...problemComponents() },
    },
  }
}

const bearer = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: `The \`access_token\` of a token answer: a JWT as in RFC 9068, verified as RFC8725 advises, valid for ${inMinutes(accessTokenSeconds * 1000)}.`,
}

const requestId = {
  name: 'X-Request-Id',
  in: 'header',
  description:
    'An id that identifies the request in the answer and in the logs. An id that does not match the pattern is replaced.',
  schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,36}$' },
  example: 'checkout-7f3a',
}

/** In the order of the prose, which is made for reading. */
function describedRoutes(): [Route, Prose][] {
  const routes = new Map(readRoutes().map((route) => [`${route.method} ${route.path}`, route]))
  const described = Object.entries(operations).map(([name, prose]): [Route, Prose] => {
    const route = prose.isStaticFile ? staticFile(name) : routes.get(name)
    if (!route) throw new Error(`There is prose about ${name}, but no such route.`)
    routes.delete(name)
    return [route, prose]
  })
  if (routes.size > 0) throw new Error(`There is no prose about ${[...routes.keys()].join(', ')}.`)
  return described
}

/** The platform answers for static files, so the guarantees about the Worker's answers do not hold for them. */
function staticFile(name: string): Route {
  const [method = '', path = ''] = name.split(' ')
  return {
    method,
    path,
    isStaticFile: true,
    isBearer: false,
    readsSession: false,
    isLimited: false,
    needsContext: false,
  }
}
