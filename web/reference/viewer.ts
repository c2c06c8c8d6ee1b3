/** The API reference of this deployment, with calls to try (docs/reference.md). */

/** Shows the viewer. It is larger than all other pages together, so only this page loads it. */
export async function showReference(place: HTMLElement): Promise<void> {
  const [{ default: SwaggerUI }] = await Promise.all([
    import('swagger-ui-dist/swagger-ui-es-bundle.js'),
    import('swagger-ui-dist/swagger-ui.css'),
  ])
  SwaggerUI({
    domNode: place,
    url: '/openapi.json',
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    // Otherwise the viewer asks the validator of its vendor about the document.
    validatorUrl: null,
    // A pasted token must not outlive the page.
    persistAuthorization: false,
    tryItOutEnabled: true,
    // Shows the recorded curl lines.
    showExtensions: true,
  })
}
