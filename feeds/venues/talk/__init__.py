"""What is said to the venues and what they answer: channels, names of streams, requests, control frames, addresses."""
