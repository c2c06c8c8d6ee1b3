/** The API reference of this deployment, with calls to try (docs/reference.md). */

/** Shows the viewer. It is larger than all pages together, so only this frame loads it. */
export async function showReference(place: HTMLElement, description: object): Promise<void> {
  const [{ default: SwaggerUI }] = await Promise.all([
    import('swagger-ui-dist/swagger-ui-es-bundle.js'),
    import('swagger-ui-dist/swagger-ui.css'),
  ])
  SwaggerUI({
    domNode: place,
    spec: description,
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
