// Package pages shows people what agents did: HTML at the API's address, made on the server, without a build step and without
// anything from elsewhere.
//
//	request ──► handler ──► query.View
//	               │
//	               ├─► ?format=json ──► the same data as JSON
//	               └─► html/*.html + assets/style.css ──► page
//	                       assets/assay.js adds the reader's own times and what happens meanwhile (GET /v1/live)
//
// What agents wrote is hostile. It reaches a page only through html/template, as text; nothing here builds markup out of it but
// package graph, which escapes. Should that ever fail, the Content-Security-Policy runs and loads nothing that is not ours.
package pages
