# What a Ruby team would write in an afternoon: webhooks as Sidekiq jobs, sent with Net::HTTP, counted in Redis.
# It does what hookfleet's worker does for one that is delivered at once (sign, send, classify, count), and less of all
# else: no attempt log, no egress guard, no limits, no counting once. A job in hand when its process is killed is lost,
# as the open Sidekiq takes jobs with BRPOP.
#
# Chosen as somebody would who knows Sidekiq: a connection of Net::HTTP for each thread that is kept, the pool that Sidekiq
# keeps for Redis, arguments that are strings, and no line of log a job. Measured are one process with the ten threads
# that it comes with, and the fastest of those tried on two cores: two processes of ten, 2,400 a second, where two of 5
# and 15 did 2,250 and 2,030, three of ten 2,290, and one of 5, 10 and 25 did 1,150, 1,450 and 1,490.
#
#   ruby sidekiq_peer.rb COUNT                 enqueues; the body is read from standard input
#   sidekiq -r ./sidekiq_peer.rb -q webhooks   delivers
require 'base64'
require 'json'
require 'net/http'
require 'openssl'
require 'sidekiq'

Sidekiq.logger.level = Logger::WARN

class DeliverWebhook
  include Sidekiq::Worker
  # A failed one comes again as Sidekiq has it: 25 times, later and later.
  sidekiq_options queue: 'webhooks', retry: 25

  TARGET = URI(ENV.fetch('PEER_URL'))
  SECRET = Base64.decode64(ENV.fetch('PEER_SIGNING_SECRET').delete_prefix('whsec_'))
  TIMEOUT_SECONDS = 30

  def perform(webhook_id, campaign_id, body)
    timestamp = Time.now.to_i.to_s
    digest = OpenSSL::HMAC.digest('SHA256', SECRET, "#{webhook_id}.#{timestamp}.#{body}")
    request = Net::HTTP::Post.new(
      TARGET.path,
      'content-type' => 'application/json',
      'webhook-id' => webhook_id,
      'webhook-timestamp' => timestamp,
      'webhook-signature' => "v1,#{Base64.strict_encode64(digest)}"
    )
    event = classify(send_over_kept_connection(request, body))
    Sidekiq.redis { |redis| redis.hincrby("campaign:#{campaign_id}", event, 1) }
    raise 'bounced' if event == 'webhook.bounced'
  end

  private

  def send_over_kept_connection(request, body)
    http = Thread.current[:webhook_http] ||=
      Net::HTTP.start(TARGET.host, TARGET.port, keep_alive_timeout: 60, read_timeout: TIMEOUT_SECONDS)
    http.request(request, body).code.to_i
  rescue SystemCallError, IOError, Timeout::Error
    Thread.current[:webhook_http] = nil
    nil
  end

  def classify(status)
    case status
    when 200..299 then 'webhook.delivered'
    when 300..499 then 'webhook.error'
    else 'webhook.bounced'
    end
  end
end

if $PROGRAM_NAME == __FILE__
  count = Integer(ARGV.fetch(0))
  body = $stdin.read
  (0...count).each_slice(1_000) do |numbers|
    Sidekiq::Client.push_bulk(
      'class' => DeliverWebhook,
      'args' => numbers.map { |number| ["wh_#{number}", 'bench', body] }
    )
  end
end
