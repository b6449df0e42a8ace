#!/usr/bin/perl

# The plugin ai-quota: balances of consumers in a real Redis, what they pay for,
# and the administrator who sets them.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use RedisServer;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    broken => { status => 500, json => { error => { message => 'no' } } });
my $redis = RedisServer->start(lines => ['requirepass sk-secret-redis'],
    cli => ['-a', 'sk-secret-redis']);

my %files = (
    'quota.yaml' => <<'EOY',
redis_key_prefix: "chat_quota:"
admin_consumer: admin
admin_path: /quota
redis:
  service_name: redis-service.default.svc.cluster.local
  service_port: 6379
  password: sk-secret-redis
  timeout: 700
EOY
    'auth.yaml' => <<'EOY',
global_auth: true
consumers:
- {name: admin, credential: sk-secret-admin}
- {name: anna, credential: sk-secret-anna}
- {name: bob, credential: sk-secret-bob}
keys: [x-api-key]
in_header: true
EOY
);
my $quota = 'ai_proxy_plugin ai-quota quota.yaml';
my $auth = 'ai_proxy_plugin key-auth auth.yaml';
my @gw = map { my $gw = Gateway->new(workers => 2, access_log => '',
    http => zone() . join('', map { provider($_ => openai => $up->url($_)) }
        qw(plain stream broken))
        . "upstream redis-service.default.svc.cluster.local {\n"
        . "    server 127.0.0.1:$redis->{port};\n}\n"
        . "ai_proxy_consumer admin { models no-model; }\n"
        . "log_format l '\$uri \$status \$ai_proxy_consumer "
        . "\$ai_proxy_limit_status \$ai_proxy_error';\n",
    server => <<"EOT");
access_log %%DIR%%/logs/access.log l;
location = /status { ai_proxy_status; }
location /plain/ { $auth; $quota; ai_proxy_pass plain; }
location /stream/ { $auth; $quota; ai_proxy_pass stream; }
location /broken/ { $auth; $quota; ai_proxy_pass broken; }
location /open/ { $quota; ai_proxy_pass plain; }
EOT
    $gw->write_file("conf/$_", $files{$_}) for keys %files;
    $gw->start } 1, 2;

sub connected {
    my ($gw) = @_;
    return $gw->until(sub { my $all = decode($gw->client->get('/status')->{body})
        ->{redis}; @$all == 1 && $all->[0]{connections} == 2 }, 20);
}
ok(connected($_), 'connected') for @gw;

sub is_key { return { 'x-api-key' => "sk-secret-$_[0]" } }
sub chat {
    my ($gw, $place, $who, %fields) = @_;
    my $api = delete $fields{api} // 'chat/completions';
    return $gw->client->post("/$place/v1/$api", chat_body(%fields),
        headers => $who ? is_key($who) : {});
}
sub admin {
    my ($gw, $path, $form, $who, $place) = @_;
    my $where = '/' . ($place // 'plain') . "/v1/chat/completions/quota$path";
    return $gw->client->request(defined $form ? 'POST' : 'GET', $where, $form,
        headers => { %{ is_key($who // 'admin') },
            'Content-Type' => 'application/x-www-form-urlencoded' });
}
sub answers {
    my ($reply, $status, $body, $name) = @_;
    is("$reply->{status} $reply->{body}", "$status $body", $name);
}
sub balance { return $redis->say('get', "chat_quota:$_[0]") }
sub comes_to {
    my ($who, $expected, $name) = @_;
    my $value;
    $gw[0]->until(sub { ($value = balance($who)) eq $expected }, 20);
    is($value, $expected, $name);
}

my $no = 'Request denied by ai quota check';

# The administrator.

answers(admin($gw[0], '?consumer=anna'), 200, '{"consumer":"anna","quota":0}',
    'nothing to begin with');
answers(admin($gw[0], '/refresh', 'consumer=anna&quota=100'), 200,
    'refresh quota successful', 'a balance is set');
is(balance('anna'), 100, 'where Higress has it');
is($redis->say('ttl', 'chat_quota:anna'), -1, 'for good');
answers(admin($gw[1], '?consumer=anna'), 200,
    '{"consumer":"anna","quota":100}', 'the other gateway knows');
answers(admin($gw[1], '/delta', 'consumer=anna&value=11'), 200,
    'delta quota successful', 'more');
answers(admin($gw[0], '/delta', 'value=-81&consumer=anna'), 200,
    'delta quota successful', 'less');
is(balance('anna'), 30, 'in sum');
my $reply = admin($gw[0], '?consumer=anna');
is(Client::header($reply, 'Content-Type'), 'application/json', 'JSON');
like(Client::header(admin($gw[0], '/delta', 'consumer=x&value=0'),
    'Content-Type'), qr{^text/plain}, 'and text');
answers(admin($gw[0], '/refresh', 'consumer=anna&quota=much'), 403,
    "$no. consumer can't be empty and quota must be integer.", 'no number');
answers(admin($gw[0], '/delta', 'consumer=&value=1'), 403,
    "$no. consumer can't be empty and value must be integer.", 'no consumer');
answers(admin($gw[0], ''), 403, "$no. consumer can't be empty.", 'nobody');
$redis->say('set', 'chat_quota:text', 'text');
answers(admin($gw[0], '/delta', 'consumer=text&value=1'), 503,
    'redis error:redis_error', 'what Redis refuses');

answers(admin($gw[0], '?consumer=anna', undef, 'anna'), 403,
    "$no. Unauthorized admin consumer.", 'others may not see');
answers(admin($gw[0], '/refresh', 'consumer=anna&quota=9', 'anna'), 403,
    "$no. Unauthorized admin consumer.", 'or set');
answers(admin($gw[0], '/delta', 'consumer=anna&value=9', 'anna'), 403,
    "$no. Unauthorized admin consumer.", 'or change');
answers($gw[0]->client->get('/open/v1/chat/completions/quota?consumer=anna',
    headers => { 'x-mse-consumer' => 'admin' }), 401,
    "$no. No Key Authentication information found.",
    'who says that he is the administrator is nobody');
is(admin($gw[0], '?consumer=anna', undef, 'nobody')->{status}, 401,
    'a wrong key');
is(balance('anna'), 30, 'nothing has changed');
is(scalar $up->requests('plain'), 0, 'and no provider was asked');

# The consumers.

is(chat($gw[0], 'plain', 'anna')->{status}, 200, 'a chat');
comes_to('anna', 15, 'is paid');
check_stream(chat($gw[1], 'stream', 'anna', stream => \1), 'one two three',
    'a stream');
comes_to('anna', 0, 'is paid');
$reply = chat($gw[0], 'plain', 'anna');
answers($reply, 403, "$no, No quota left", 'nothing left');
like(Client::header($reply, 'Content-Type'), qr{^text/plain}, 'as text');
answers(chat($gw[0], 'plain', 'bob'), 403, "$no, No quota left",
    'somebody without a balance');
answers(chat($gw[0], 'plain', 'anna', api => 'messages', max_tokens => 9), 403,
    "$no, No quota left", 'other dialects cost as much');
admin($gw[0], '/refresh', 'consumer=anna&quota=1');
is(chat($gw[0], 'plain', 'anna', api => 'messages', max_tokens => 9)->{status},
    200, 'the last one');
comes_to('anna', -14, 'may cost more than is left');
is(chat($gw[0], 'plain', 'anna')->{status}, 403, 'then it is over');
admin($gw[0], '/refresh', 'consumer=anna&quota=1');
is(chat($gw[0], 'broken', 'anna')->{status}, 500, 'an error of the provider');
is(balance('anna'), 1, 'costs nothing');
is($gw[0]->client->get('/plain/v1/files', headers => is_key('bob'))->{status},
    200, 'what uses no tokens');
answers($gw[0]->client->post('/open/v1/chat/completions', chat_body(),
    headers => { 'x-mse-consumer' => 'anna' }), 401,
    "$no. No Key Authentication information found.", 'nobody is nobody');

admin($gw[0], '/refresh', 'consumer=bob&quota=1000000');
my @many = map { $gw[$_ % 2]->client->send(POST => '/plain/v1/chat/completions',
    chat_body(), headers => is_key('bob')) } 1 .. 64;
is(scalar(grep { $_->finish->{status} == 200 } @many), 64, '64 at once');
comes_to('bob', 1_000_000 - 64 * 15, 'each is paid once');

my @lines;
$gw[0]->until(sub { @lines = grep { m{^/plain/v1/chat/completions } }
    $gw[0]->log_lines('access.log'); @lines >= 36 }, 20);
my %said = map { $_ => 1 } @lines;
ok($said{'/plain/v1/chat/completions 200 anna passed -'}, 'in the log');
ok($said{'/plain/v1/chat/completions 403 anna rejected token_limit'},
    'who was refused');

# Without Redis nobody may, and nobody waits.

sub broken_round {
    my ($what) = @_;
    answers(chat($gw[0], 'plain', 'bob'), 403, "$no, No quota left", $what);
    for my $case (['?consumer=bob'], ['/refresh', 'consumer=bob&quota=1'],
        ['/delta', 'consumer=bob&value=1'])
    {
        $reply = admin($gw[0], @$case);
        is($reply->{status}, 503, "$what: $case->[0]");
        like($reply->{body}, qr/^redis error:redis_(?:timeout|unavailable)$/,
            "$what: why");
    }
}
$redis->pause;
broken_round('paused');
$redis->resume;
ok(connected($gw[0]), 'connected again');
is(chat($gw[0], 'plain', 'bob')->{status}, 200, 'it goes on');
$redis->stop;
broken_round('stopped');

$gw[0]->stop;
done($gw[1], $up);
