/** The smallest answer there is: what the runtime and the client cost in `npm run bench`. */

// oxlint-disable-next-line import/no-default-export -- the platform asks for it
export default {
  fetch: () => new Response(null, { status: 204 }),
} satisfies ExportedHandler
