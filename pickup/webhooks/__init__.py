"""What shops hear by themselves: webhooks after Standard Webhooks, and the feed of events."""
