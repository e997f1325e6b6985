"""One training as the parent sees it: started, watched, advised on, begun again."""
