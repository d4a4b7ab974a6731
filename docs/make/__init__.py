"""Build the site of the documentation: pages, interface, examples with their figures; no network is needed."""
