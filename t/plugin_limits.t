#!/usr/bin/perl

# The plugins cluster-key-rate-limit and ai-token-ratelimit: their files as
# Higress takes them, its keys and its counts in a real Redis, shared by two
# gateways.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Encode ();
use RedisServer;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    claude => { json => claude_answer('hello') },
    broken => { status => 500, json => { error => { message => 'no' } } });
my $redis = RedisServer->start(lines => ['user xxxxxx on >xxxxxx ~* &* +@all',
    'user other on >sk-secret-redis ~* &* +@all']);
my $absent = RedisServer->new;

# Higress' own example.
my $message = Encode::encode('UTF-8', "\x{60a8}\x{7684}\x{8bf7}\x{6c42}"
    . "\x{9891}\x{7387}\x{8fc7}\x{9ad8},\x{8bf7}\x{7a0d}\x{540e}\x{518d}"
    . "\x{8bd5}\x{3002}");
my $example = <<"EOY";
rule_name: default_rule
rule_items:
  - limit_by_per_ip: from-remote-addr
    limit_keys:
      - key: 0.0.0.0/0
        token_per_minute: 100
redis:
  service_name: redis.static
  service_port: 6379
  username: xxxxxx
  password: xxxxxx
rejected_code: 429
rejected_msg: $message
EOY

sub limit {
    my ($rule, $rest, $redis) = @_;
    return "rule_name: $rule\n$rest"
        . ($redis // 'redis: {service_name: redis.static, username: other, '
            . "password: sk-secret-redis, database: 2}\n");
}

my %files = (
    'example.yaml' => $example,
    'tokens.yaml' =>
        limit('tokens', "global_threshold: {token_per_hour: 100}\n"),
    'requests.yaml' => limit('requests', <<'EOY'),
rule_items:
- limit_by_header: x-ca-key
  limit_keys: [{key: vip, query_per_day: 1000}, {key: 102234, query_per_hour: 3}]
- limit_by_per_cookie: user
  limit_keys: [{key: "regexp:^a", query_per_minute: 2}]
show_limit_quota_header: true
rejected_code: 403
rejected_msg: slow down
EOY
    'many.yaml' => limit('many', "global_threshold: {query_per_day: 100}\n"),
    'keys.yaml' => limit('keys', <<'EOY'),
rule_items:
- limit_by_per_param: apikey
  limit_keys: [{key: "*", query_per_day: 1}]
EOY
    'rules.yaml' => <<'EOY',
_rules_:
- _match_domain_: ["*.example.com"]
  rule_name: domain
  global_threshold: {query_per_day: 1}
  redis: {service_name: redis.static, username: other, password: sk-secret-redis}
- _match_service_: [llm-stream.internal.dns]
  rule_name: service
  global_threshold: {query_per_day: 2}
  redis: {service_name: redis.static, username: other, password: sk-secret-redis}
EOY
    'absent.yaml' => limit('absent', "global_threshold: {token_per_day: 1}\n",
        "redis: {service_name: absent.dns, timeout: 300}\n"),
    'auth.yaml' => <<'EOY',
global_auth: true
consumers: [{name: one, credential: sk-secret-key-1}]
keys: [apikey]
in_query: true
EOY
);

my $tokens = 'ai_proxy_plugin ai-token-ratelimit';
my $requests = 'ai_proxy_plugin cluster-key-rate-limit';
my $server = <<"EOT";
access_log %%DIR%%/logs/access.log l;
location = /metrics { ai_proxy_metrics; }
location = /status { ai_proxy_status; }
location /example/ { $tokens example.yaml; ai_proxy_pass plain; }
location /plain/ { $tokens tokens.yaml; ai_proxy_pass plain; }
location /stream/ { $tokens tokens.yaml; ai_proxy_pass stream; }
location /claude/ { $tokens tokens.yaml; ai_proxy_pass claude; }
location /broken/ { $tokens tokens.yaml; ai_proxy_pass broken; }
location /requests/ { $requests requests.yaml; ai_proxy_pass plain; }
location /requests2/ { $requests requests.yaml; ai_proxy_pass stream; }
location /many/ { $requests many.yaml; ai_proxy_pass plain; }
location /keys/ { $requests keys.yaml; ai_proxy_plugin key-auth auth.yaml;
    ai_proxy_pass plain; }
location /rules/ { $requests rules.yaml; ai_proxy_pass plain; }
location /rules2/ { $requests rules.yaml; ai_proxy_pass stream; }
location /absent/ { $tokens absent.yaml; ai_proxy_pass plain; }
EOT

sub gateway {
    my ($where, %args) = @_;
    my $gw = Gateway->new(workers => 2, access_log => '',
        http => zone() . join('', map { provider($_ => openai => $up->url($_)) }
            qw(plain stream broken))
            . provider(claude => claude => $up->url('claude'))
            . "log_format l '\$uri \$status \$ai_proxy_limit_status "
            . "\$ai_proxy_error';\n$where",
        server => $server, %args);
    $gw->write_file("conf/$_", $files{$_}) for keys %files;
    return $gw;
}

# One knows Redis as an upstream, the other by our own directive.
my $port = $redis->{port};
my $nowhere = "upstream absent.dns { server 127.0.0.1:$absent->{port}; }\n";
my @gw = (gateway("upstream redis.static { server 127.0.0.1:$port; }\n"
        . $nowhere),
    gateway("ai_proxy_redis redis.static 127.0.0.1:$port;\n" . $nowhere));
$_->start for @gw;

sub state {
    my ($gw) = @_;
    return { map { $_->{name} => $_ }
        @{ decode($gw->client->get('/status')->{body})->{redis} } };
}
for my $gw (@gw) {
    my @names = map { "redis.static:$_" } qw(6379 80/2 80);
    ok($gw->until(sub { my $all = state($gw);
        !grep { ($all->{$_}{connections} // 0) != 2 } @names }, 20),
        'both workers are connected');
    is(join(' ', sort keys %{ state($gw) }),
        join(' ', sort @names, 'absent.dns:6379'), 'to what the files name');
}

sub ask {
    my ($gw, $place, %how) = @_;
    return $gw->client->post("/$place/v1/"
        . ($how{api} // 'chat/completions') . ($how{query} // ''),
        chat_body(%{ $how{body} // {} }), headers => $how{headers} // {},
        host => $how{host} // 'gateway.test');
}
sub statuses {
    my ($gw, $times, @how) = @_;
    return join ' ', map { ask($gw, @how)->{status} } 1 .. $times;
}
sub say_to { return $redis->say('--user', 'other', '-a', 'sk-secret-redis', @_) }
sub value { return say_to('-n', 2, 'get', @_) }
sub comes_to {
    my ($get, $expected, $name) = @_;
    my $value;
    $gw[0]->until(sub { ($value = $get->()) eq $expected }, 20);
    is($value, $expected, $name);
}

# Tokens: what is used is counted at the end, and who comes after it was too
# much is turned away.

my $key = 'higress-token-ratelimit:default_rule:limit_by_per_ip:60:'
    . 'from-remote-addr:127.0.0.1';
is(ask($gw[0], 'example')->{status}, 200, 'a request passes');
comes_to(sub { say_to('get', $key) }, 15, 'its tokens are counted');
my $ttl = say_to('ttl', $key);
ok($ttl > 0 && $ttl <= 60, 'for a minute');
say_to('expire', $key, 40);
is(ask($gw[1], 'example')->{status}, 200, 'the other gateway');
comes_to(sub { say_to('get', $key) }, 30, 'counts at the same place');
ok(say_to('ttl', $key) <= 40, 'the window stays as it began');
say_to('set', $key, 100, 'keepttl');
is(ask($gw[0], 'example')->{status}, 200, 'exactly at the threshold');
comes_to(sub { say_to('get', $key) }, 115, 'it may be passed once');
my $reply = ask($gw[1], 'example');
is($reply->{status}, 429, 'then nobody may');
is($reply->{body}, $message, 'in the words of the file');
like(Client::header($reply, 'Content-Type'), qr{^text/plain}, 'as plain text');
my $reset = Client::header($reply, 'X-TokenRateLimit-Reset');
ok($reset > 0 && $reset <= 40, 'with the time until its end');
is(Client::header($reply, 'Retry-After'), $reset, 'for our clients too');
is(say_to('get', $key), 115, 'and nothing is added');
my $before = $up->requests('plain');
is(statuses($gw[0], 3, 'example'), '429 429 429', 'nobody is asked');
is(scalar $up->requests('plain'), scalar $before, 'indeed');

# All kinds of answers.

$key = 'higress-token-ratelimit:tokens:global_threshold:3600';
check_stream(ask($gw[0], 'stream', body => { stream => \1 }), 'one two three',
    'a stream');
comes_to(sub { value($key) }, 15, 'is counted');
is(ask($gw[0], 'claude', api => 'messages', body => { max_tokens => 9 })
    ->{status}, 200, 'Messages');
my $usage = claude_answer('')->{usage};
my $sum = 15;
$sum += $usage->{$_} // 0 for qw(input_tokens cache_read_input_tokens
    cache_creation_input_tokens output_tokens);
comes_to(sub { value($key) }, $sum, 'are counted');
is(ask($gw[0], 'broken')->{status}, 500, 'an error of the provider');
is(ask($gw[0], 'plain')->{status}, 200, 'costs nothing');
comes_to(sub { value($key) }, $sum + 15, 'only what is answered does');

# Requests.

my %ca = (headers => { 'X-Ca-Key' => '102234' });
$reply = ask($gw[0], 'requests', %ca);
is(Client::header($reply, 'X-RateLimit-Limit'), 3, 'the limit');
is(Client::header($reply, 'X-RateLimit-Remaining'), 2, 'what is left of it');
is(Client::header($reply, 'X-RateLimit-Reset'), undef, 'no time');
is(statuses($gw[1], 3, 'requests', %ca), '200 200 403',
    'the other gateway counts on, exactly to the limit');
$reply = ask($gw[0], 'requests', %ca);
is($reply->{status}, 403, 'then nobody may');
is($reply->{body}, 'slow down', 'in the words of the file');
is(Client::header($reply, 'X-RateLimit-Limit'), 3, 'the limit');
is(Client::header($reply, 'X-RateLimit-Remaining'), 0, 'nothing is left');
$reset = Client::header($reply, 'X-RateLimit-Reset');
ok($reset > 3500 && $reset <= 3600, 'the time');
$key = 'higress-cluster-key-rate-limit:requests';
is(value("$key:limit_by_header:3600:x-ca-key:102234"), 4,
    'the counter stops one above the limit');
is(statuses($gw[0], 2, 'requests', headers => { 'X-Ca-Key' => 'none' }),
    '200 200', 'who matches nothing');
$reply = ask($gw[0], 'requests2', headers => { 'X-Ca-Key' => 'vip' },
    body => { stream => \1 });
check_stream($reply, 'one two three', 'a stream');
is(join(' ', map { Client::header($reply, "X-RateLimit-$_") }
    qw(Limit Remaining)), '1000 999', 'has the fields as well');
is(Client::header(ask($gw[0], 'requests'), 'X-RateLimit-Limit'), undef,
    'is told nothing');
is(statuses($gw[0], 3, 'requests', headers => { Cookie => 'x=1; user=anna' }),
    '200 200 403', 'a cookie by a regex');
is(value("$key:limit_by_per_cookie:60:user:anna"), 3, 'counted by its value');
is(statuses($gw[0], 3, 'rules', host => 'a.example.com'), '200 429 429',
    'a rule of a domain');
is(statuses($gw[0], 3, 'rules2'), '200 200 429', 'a rule of a service');
is(statuses($gw[0], 3, 'rules'), '200 200 200', 'no rule, no limit');

# The key that proves who it is, which goes nowhere else.

my %one = (query => '?apikey=sk-secret-key-1');
is(statuses($gw[0], 2, 'keys', %one), '200 429', 'counted by credential');
is(value('higress-cluster-key-rate-limit:keys:limit_by_per_param:86400:apikey:'
    . 'sk-secret-key-1'), 2, 'as Higress counts');

my @clients = map { $gw[$_ % 2]->client } 1 .. 128;
$_->send(POST => '/many/v1/chat/completions', chat_body()) for @clients[0 .. 63];
my $passed = grep { $_->finish->{status} == 200 } @clients[0 .. 63];
$_->send(POST => '/many/v1/chat/completions', chat_body()) for @clients[64 .. 127];
$passed += grep { $_->finish->{status} == 200 } @clients[64 .. 127];
is($passed, 100, '100 of 128 requests through two gateways');
is(value('higress-cluster-key-rate-limit:many:global_threshold:86400'), 101,
    'are counted');

say_to('script', 'flush');
is(statuses($gw[0], 1, 'example'), '429', 'scripts that are gone are sent again');

# What is said of it.

my @lines;
$gw[0]->until(sub { @lines = grep { m{^/example/} } $gw[0]->log_lines('access.log');
    @lines >= 6 }, 20);
my %said = map { $_ => 1 } @lines;
ok($said{'/example/v1/chat/completions 200 passed -'}, 'in the log')
    or diag(join "\n", @lines);
ok($said{'/example/v1/chat/completions 429 rejected token_limit'},
    'also when refused');
like($gw[0]->client->get('/metrics')->{body},
    qr/cause="token_limit"\} [1-9]/, 'and in the metrics');

# Without Redis everybody may.

is(statuses($gw[0], 2, 'absent'), '200 200', 'nobody is there');
$redis->stop;
is(statuses($gw[0], 2, 'example'), '200 200', 'stopped');
is(statuses($gw[1], 2, 'requests', %ca), '200 200', 'stopped');

# As it stands, without a word of where Redis is.

my ($status, $said) = gateway('', server => <<"EOT")->check;
location / { $tokens example.yaml; ai_proxy_pass plain; }
EOT
is($status, 0, 'the example loads') or diag($said);
like($said, qr{\[warn\][^\n]*/example\.yaml:8: field "redis\.service_name":},
    'with a warning that names the line');
like($said, qr{"ai_proxy_redis redis\.static HOST:PORT;" or by "upstream },
    'and says what is missing');

$files{'wrong.yaml'} = limit('r', "global_threshold: {query_per_day: 0}\n");
($status, $said) = gateway('', server => <<"EOT")->check;
location / { $requests wrong.yaml; ai_proxy_pass plain; }
EOT
isnt($status, 0, 'a wrong value does not load');
like($said, qr{/wrong\.yaml:2: field "global_threshold\.query_per_day": },
    'and is named') or diag($said);

$_->stop for $gw[0];
done($gw[1], $up);
