"""Looking at what a running node makes: its graphs with their images and maps."""
